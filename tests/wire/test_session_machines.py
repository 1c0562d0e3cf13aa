"""The two session machines against their tables, walked at random by hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openenv_gym.errors import ClosedError, ConcurrentCallError, OpenEnvGymError, SessionLostError
from openenv_gym.wire.client_session import ClientSession, Phase
from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    Op,
    Outcome,
    Reason,
    RestoredReply,
    SnapshotReply,
    StateReply,
)
from openenv_gym.wire.server_session import Place, ServerSession, Stage

CALLS = st.sampled_from([Op.RESET, Op.STEP, Op.STATE, Op.MCP, Op.SNAPSHOT, Op.RESTORE])
HARMLESS = ErrorReply(ErrorCode.EXECUTION_ERROR, "the environment raised")
NO_SNAPSHOT = ErrorReply(ErrorCode.VALIDATION_ERROR, "dropped", {"reason": Reason.NO_SNAPSHOT.value})
FULL = ErrorReply(ErrorCode.CAPACITY_REACHED, "full")
FATAL = [
    ErrorReply(ErrorCode.FACTORY_ERROR, "no environment"),
    ErrorReply(ErrorCode.SESSION_ERROR, "gone"),
    ErrorReply(ErrorCode.EXECUTION_ERROR, "too slow", {"reason": Reason.DEADLINE.value}),
    ErrorReply(ErrorCode.EXECUTION_ERROR, "died", {"reason": Reason.CRASHED.value}),
]


class ClientWalk(RuleBasedStateMachine):
    """`ClientSession` beside the simplest account of what it may be in."""

    def __init__(self) -> None:
        super().__init__()
        self.session = ClientSession()
        self.expected = Phase.FRESH
        self.before = Phase.FRESH

    @rule(op=CALLS)
    def begin(self, op: Op) -> None:
        refusal: type[OpenEnvGymError] | None = None
        if self.expected is Phase.BUSY:
            refusal = ConcurrentCallError
        elif self.expected is Phase.CLOSED:
            refusal = ClosedError
        elif self.expected is Phase.LOST and op is not Op.RESET:
            refusal = SessionLostError
        if refusal is None:
            self.session.begin(op)
            self.before, self.expected = self.expected, Phase.BUSY
        else:
            with pytest.raises(refusal):
                self.session.begin(op)

    @precondition(lambda self: self.expected is Phase.BUSY)
    @rule()
    def reply(self) -> None:
        self.session.finish(Outcome({}))
        self.expected = Phase.IDLE

    @precondition(lambda self: self.expected is Phase.BUSY)
    @rule()
    def harmless_error(self) -> None:
        self.session.finish(HARMLESS)
        self.expected = self.before

    @precondition(lambda self: self.expected is Phase.BUSY)
    @rule(reply=st.sampled_from(FATAL))
    def fatal_error(self, reply: ErrorReply) -> None:
        self.session.finish(reply)
        self.expected = Phase.LOST

    @precondition(lambda self: self.expected is Phase.BUSY)
    @rule()
    def full(self) -> None:
        self.session.finish(FULL)
        self.expected = Phase.LOST if self.before is Phase.IDLE else self.before

    @precondition(lambda self: self.expected is Phase.BUSY)
    @rule()
    def not_sent(self) -> None:
        self.session.abandon()
        self.expected = self.before

    @rule()
    def fault(self) -> None:
        self.session.fail(SessionLostError("the socket broke"))
        if self.expected is not Phase.CLOSED:
            self.expected = Phase.LOST

    @rule()
    def close(self) -> None:
        self.session.close()
        self.expected = Phase.CLOSED

    @invariant()
    def agrees(self) -> None:
        assert self.session.phase is self.expected


class ServerWalk(RuleBasedStateMachine):
    """`ServerSession` beside the simplest account of an episode."""

    def __init__(self, lenient: bool = False) -> None:
        super().__init__()
        self.lenient = lenient
        self.session = ServerSession(lenient=lenient)
        self.expected = Stage.NEW
        self.running: Op | None = None
        self.steps = 0
        self.places: list[tuple[Place, Stage, int]] = []

    @rule(op=CALLS)
    def begin(self, op: Op) -> None:
        refusal = self.session.begin(op)
        if self.expected is Stage.CLOSED:
            reason: Reason | None = Reason.CLOSED
        elif self.running is not None:
            reason = Reason.BUSY
        elif op in (Op.STEP, Op.SNAPSHOT) and not self.lenient and self.expected is Stage.NEW:
            reason = Reason.NOT_RESET
        elif op is Op.STEP and not self.lenient and self.expected is Stage.DONE:
            reason = Reason.EPISODE_OVER
        else:
            reason = None
        assert (refusal and refusal.reason) == reason
        if reason is None:
            self.running = op

    @precondition(lambda self: self.running not in (None, Op.RESTORE))
    @rule(done=st.booleans(), truncated=st.booleans())
    def finish(self, done: bool, truncated: bool) -> None:
        op, self.running = self.running, None
        assert op is not None
        if op is Op.SNAPSHOT:
            self.places.append((self.session.place, self.expected, self.steps))
            self.session.finish(op, SnapshotReply("h"))
            return
        if op not in (Op.RESET, Op.STEP):
            self.session.finish(op, StateReply({}))
            return
        self.session.finish(op, Outcome({}, done=done, truncated=truncated))
        if self.expected is not Stage.CLOSED:
            self.expected = Stage.DONE if done or truncated else Stage.RUNNING
            self.steps = 0 if op is Op.RESET else self.steps + 1

    @precondition(lambda self: self.running is Op.RESTORE and self.places)
    @rule(data=st.data())
    def restored(self, data: st.DataObject) -> None:
        place, stage, steps = data.draw(st.sampled_from(self.places))
        self.running = None
        self.session.put_back(place)
        self.session.finish(Op.RESTORE, RestoredReply())
        if self.expected is not Stage.CLOSED:
            self.expected, self.steps = stage, steps

    @precondition(lambda self: self.running is not None)
    @rule(reply=st.sampled_from([HARMLESS, NO_SNAPSHOT, *FATAL]))
    def fail(self, reply: ErrorReply) -> None:
        op, self.running = self.running, None
        assert op is not None
        self.session.finish(op, reply)
        if self.expected is Stage.CLOSED:
            return
        if reply in FATAL:
            self.expected = Stage.CLOSED
        elif op is Op.RESET or (op is Op.RESTORE and reply is HARMLESS):
            self.expected = Stage.NEW

    @rule()
    def close(self) -> None:
        self.session.close()
        self.expected = Stage.CLOSED

    @invariant()
    def agrees(self) -> None:
        assert self.session.stage is self.expected
        assert self.session.busy == (self.running is not None)
        assert self.session.steps == self.steps


class LenientServerWalk(ServerWalk):
    """The same for a session whose environment judges for itself."""

    def __init__(self) -> None:
        super().__init__(lenient=True)


TestClientWalk = ClientWalk.TestCase
TestServerWalk = ServerWalk.TestCase
TestLenientServerWalk = LenientServerWalk.TestCase


def test_a_lost_session_says_why_and_what_to_do() -> None:
    session = ClientSession()
    session.fail(SessionLostError("the cable was cut"))
    with pytest.raises(SessionLostError, match=r"the cable was cut.*reset\(\)"):
        session.begin(Op.STEP)
    session.begin(Op.RESET)
    session.finish(Outcome({}))
    session.begin(Op.STEP)


def test_a_failed_reset_does_not_bring_a_lost_session_back() -> None:
    session = ClientSession()
    session.fail(SessionLostError("gone"))
    session.begin(Op.RESET)
    session.finish(HARMLESS)
    with pytest.raises(SessionLostError):
        session.begin(Op.STEP)


def test_a_fork_has_an_episode_from_its_beginning() -> None:
    session = ClientSession(Phase.IDLE)
    session.require_alive("step")
    session.begin(Op.STEP)
    session.finish(FULL)
    with pytest.raises(SessionLostError):
        session.require_alive("fork")
    session.close()
    with pytest.raises(ClosedError):
        session.require_alive("fork")
