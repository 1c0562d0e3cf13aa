"""Both machines on a network that loses, delays and cuts, and environments that count.

What TCP can do is done: a connection delivers a prefix of what was sent on it, each side learns of its end
when it likes, and what is left of an old connection may arrive after a new one has begun. Frames that arrive
twice, which TCP cannot do, are thrown in.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from openenv_gym.errors import CapacityError, ServerUnreachableError, StepTimeoutError
from openenv_gym.wire.messages import Outcome, SnapshotReply
from openenv_gym.wire.v1.client_events import Closed, Gone, Greeted, Opened, Replied
from openenv_gym.wire.v1.client_machine import ClientMachine
from openenv_gym.wire.v1.codecs import Codec, Frame
from openenv_gym.wire.v1.entries import Call
from openenv_gym.wire.v1.server_effects import CloseSession, Effect, OpenSession, RunCall
from openenv_gym.wire.v1.server_machine import ServerMachine
from openenv_gym.wire.v1.server_terms import ServerTerms

PATIENCE = 10.0
LEASE = 60.0
TIMEOUT = 300.0  # seconds for opening and for each step


@dataclass
class Wire:
    """One connection: what is under way on it, and who still believes in it."""

    number: int
    server: ServerMachine
    to_server: deque[Frame] = field(default_factory=deque)
    to_client: deque[Frame] = field(default_factory=deque)
    client_holds: bool = True
    server_holds: bool = True


@dataclass
class User:
    """Who uses a session, and what they saw; a fork's transcript begins with its parent's."""

    session: str
    opened_at: float
    parent: str | None = None
    state: str = "opening"  # ready, waiting, closing, closed, gone, refused (its parent is gone)
    transcript: list[int] = field(default_factory=list)
    snapshots: dict[str, int] = field(default_factory=dict)  # steps at each, by handle
    faults: list[Gone] = field(default_factory=list)


class LossyWorld:
    """Everything there is; each method is something that can happen."""

    def __init__(self, codec: Codec, capacity: int = 2) -> None:
        self.now = 1000.0
        self.codec = codec
        self.capacity = capacity
        self.ids = iter(f"session-{number:012}" for number in range(10**6))
        self.client = ClientMachine(codec, patience=PATIENCE, new_id=lambda: next(self.ids))
        self.instances = 0
        self.server = self.new_server()
        self.wires: list[Wire] = []
        self.wire: Wire | None = None  # the client's
        self.jobs: list[Effect] = []
        self.counts: dict[str, int] = {}  # live environments
        self.ran: dict[str, list[int]] = {}  # every step that was ever started, by session
        self.snapshots: dict[str, int] = {}  # steps at each, by handle
        self.taken: dict[str, int] = {}  # snapshots that were ever started, by session
        self.expired: set[str] = set()
        self.contacts: dict[str, int] = {}  # the newest connection on which the server heard of a session
        self.noticed: dict[int, float] = {}  # when it learned of a connection's end
        self.users: dict[str, User] = {}
        self.greetings: list[Greeted] = []

    def new_server(self) -> ServerMachine:
        self.instances += 1
        terms = ServerTerms(
            f"life-{self.instances}",
            self.capacity,
            lease=LEASE,
            queue_timeout=TIMEOUT,
            max_entries=4,
            features=("snapshot", "fork"),
        )
        return ServerMachine(terms)

    # --- the user --------------------------------------------------------------------------------------

    def open(self) -> None:
        session = self.client.open(self.now, TIMEOUT)
        self.users[session] = User(session, self.now)
        self.ran[session] = []
        self.taken[session] = 0
        self.pump()

    def fork(self, parent: User, handle: str) -> None:
        session = self.client.open(self.now, TIMEOUT, parent=parent.session, snapshot=handle)
        steps = list(range(parent.snapshots[handle]))
        self.users[session] = User(session, self.now, parent.session, transcript=steps)
        self.ran[session] = list(steps)
        self.taken[session] = 0
        self.pump()

    def snapshot(self, user: User) -> None:
        user.state = "waiting"
        self.client.call(self.now, user.session, "snapshot", {}, TIMEOUT)
        self.pump()

    def step(self, user: User) -> None:
        user.state = "waiting"
        self.client.call(self.now, user.session, "step", {"step": len(user.transcript)}, TIMEOUT)
        self.pump()

    def close(self, user: User) -> None:
        user.state = "closing"
        self.client.close(user.session)
        self.pump()

    # --- the network -----------------------------------------------------------------------------------

    def connect(self) -> None:
        assert self.wire is None
        self.wire = Wire(self.server.connect(self.codec), self.server)
        self.wires.append(self.wire)
        self.client.connected()
        self.pump()

    def deliver_to_server(self, wire: Wire, *, twice: bool = False) -> None:
        frame = wire.to_server.popleft()
        if twice:
            wire.to_server.append(frame)
        for entry in self.codec.decode_requests(frame):
            self.contacts[entry.session] = max(self.contacts.get(entry.session, 0), wire.number)
        wire.server.receive(self.now, wire.number, frame)
        self.pump()

    def deliver_to_client(self, *, twice: bool = False) -> None:
        assert self.wire is not None
        twice = twice and self.client.is_up  # a second greeting is an error
        frame = self.wire.to_client.popleft()
        if twice:
            self.wire.to_client.append(frame)
        self.client.receive(self.now, frame)
        self.pump()

    def cut(self, *, lost: int) -> None:
        """The client's connection ends for the client; the last frames under way are lost."""
        wire, self.wire = self.wire, None
        assert wire is not None
        wire.client_holds = False
        wire.to_client.clear()
        for _ in range(min(lost, len(wire.to_server))):
            wire.to_server.pop()
        self.client.disconnected(self.now)
        self.pump()

    def server_notices(self, wire: Wire) -> None:
        """The server learns that a connection is over, or decides so."""
        wire.server_holds = False
        wire.to_server.clear()
        if wire.server is self.server:
            self.server.disconnect(self.now, wire.number)
            self.noticed[wire.number] = self.now
        self.pump()

    def kill_server(self) -> None:
        """Another server takes the place of this one, which leaves nothing behind."""
        self.server = self.new_server()
        for wire in self.wires:
            wire.server_holds = False
            wire.to_server.clear()
        for forgotten in (self.jobs, self.counts, self.snapshots, self.contacts, self.noticed):
            forgotten.clear()
        self.pump()

    # --- the server's environments ---------------------------------------------------------------------

    def work(self, job: Effect) -> None:
        """An environment finishes what it was asked to do."""
        self.jobs.remove(job)
        match job:
            case OpenSession(session):
                if session in self.counts:
                    self.server.opened(session)
            case RunCall(session, Call.SNAPSHOT):
                handle = f"{session} after {self.counts[session]}, number {self.taken[session]}"
                self.snapshots[handle] = self.counts[session]
                self.server.finished(session, SnapshotReply(handle))
            case RunCall(session, _, payload):
                self.counts[session] += 1
                self.server.finished(session, Outcome({"count": payload["step"]}, 1.0))
            case CloseSession(session):
                self.counts.pop(session, None)
                self.server.closed(self.now, session)
        self.pump()

    def start(self, effect: Effect) -> None:
        match effect:
            case OpenSession(session, _, parent, handle):
                assert session not in self.counts, "opened twice"
                assert parent is None or parent in self.counts, "forked from a session that is gone"
                self.counts[session] = 0 if handle is None else self.snapshots[handle]
                assert self.counts[session] == len(self.ran[session])
            case RunCall(session, Call.SNAPSHOT):
                self.taken[session] += 1
            case RunCall(session, _, payload):
                assert payload["step"] == len(self.ran[session]), "a step was lost, repeated or misplaced"
                self.ran[session].append(payload["step"])
            case CloseSession(session, why):
                # As the contract of effects has it: what was under way is dropped.
                self.jobs = [job for job in self.jobs if job.session != session]
                if "lease" in why:
                    self.expired.add(session)
                    assert self.now >= self.noticed[self.contacts[session]] + LEASE
        self.jobs.append(effect)

    # --- time ------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        self.now += seconds
        if self.server.next_wakeup is not None and self.server.next_wakeup <= self.now:
            self.server.wake(self.now)
        if self.client.next_wakeup is not None and self.client.next_wakeup <= self.now:
            self.client.wake(self.now)
        self.pump()

    # --- everybody's turn ------------------------------------------------------------------------------

    def pump(self) -> None:
        """What the I/O does by itself: hand frames to the sockets, effects to work, events to users."""
        for effect in self.server.take_effects():
            self.start(effect)
        for number in self.server.take_writable():
            (wire,) = [wire for wire in self.wires if wire.server is self.server and wire.number == number]
            while (frame := self.server.next_frame(number)) is not None:
                if wire.client_holds:
                    wire.to_client.append(frame)
        self.wires = [wire for wire in self.wires if wire.server_holds or wire is self.wire]
        for event in self.client.take_events():
            self.tell(event)
        while (frame := self.client.next_frame()) is not None:
            assert self.wire is not None
            if self.wire.server_holds:
                self.wire.to_server.append(frame)

    def tell(self, event: object) -> None:
        match event:
            case Greeted():
                self.greetings.append(event)
            case Opened(session):
                assert self.users[session].state == "opening"
                self.users[session].state = "ready"
            case Replied(session, Outcome({"count": count})):
                user = self.users[session]
                assert user.state == "waiting", "a reply that nobody waits for"
                assert count == len(user.transcript), "another call's reply"
                user.transcript.append(count)
                user.state = "ready"
            case Replied(session, SnapshotReply(handle)):
                user = self.users[session]
                assert user.state == "waiting", "a reply that nobody waits for"
                assert handle not in user.snapshots, "another call's reply"
                user.snapshots[handle] = len(user.transcript)
                user.state = "ready"
            case Closed(session):
                assert self.users[session].state == "closing"
                self.users[session].state = "closed"
            case Gone(session, cause, reply):
                user = self.users[session]
                assert user.state in ("opening", "ready", "waiting"), "a second end"
                if reply is not None and "the session to fork from" in reply.message:
                    assert user.state == "opening" and user.parent is not None
                    assert self.is_over(user.parent), "its parent is there"
                    user.state = "refused"
                    return
                user.state = "gone"
                user.faults.append(event)
                waited = self.now >= user.opened_at + TIMEOUT
                if isinstance(cause, CapacityError):
                    assert waited and user.transcript == self.ran[session]
                elif reply is not None:
                    assert session in self.expired, f"gone without its lease being over: {reply}"
                elif isinstance(cause, StepTimeoutError | ServerUnreachableError):
                    assert waited
                elif "no connection" not in str(cause):
                    assert not self.greetings[-1].same_server
            case _:
                raise AssertionError(event)

    def is_over(self, session: str) -> bool:
        return self.users[session].state in ("closing", "closed", "gone") or session in self.expired

    def settle(self) -> None:
        """Let everything under way arrive, on a healthy connection, without time passing."""
        while True:
            if self.wire is not None and not self.wire.server_holds and not self.wire.to_client:
                self.cut(lost=0)
            if self.wire is None:
                self.connect()
            under_way = [wire for wire in self.wires if wire.to_server and wire.server_holds]
            if under_way:
                self.deliver_to_server(under_way[-1])  # leftovers come last, where they hurt most
            elif self.wire is not None and self.wire.to_client:
                self.deliver_to_client()
            elif self.jobs:
                self.work(self.jobs[0])
            elif self.wire is not None and self.wire.server_holds:
                return

    def check_transcripts(self) -> None:
        """Every transcript is the undisturbed one, or a prefix of it with at most one call beyond."""
        for session, user in self.users.items():
            ran = self.ran[session]
            assert ran == list(range(len(ran)))
            assert user.transcript == ran[: len(user.transcript)]
            assert len(ran) - len(user.transcript) <= 1
            assert self.taken[session] - len(user.snapshots) in (0, 1), "a snapshot was lost or repeated"
            assert len(user.faults) == (user.state == "gone")
