"""All sessions of a server, over all connections: what runs, what is answered again, what is refused.

Frames, the time and the I/O's reports go in; effects and frames come out. The I/O's turn is: feed what came
(`receive`, `opened`, `finished`, ...), carry out `take_effects`, then send the frames of the connections that
`take_writable` names. All times are seconds of one clock, whose zero means nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from openenv_gym.wire.messages import ErrorReply, Reply
from openenv_gym.wire.v1 import refusals
from openenv_gym.wire.v1.admission import WaitingOpen
from openenv_gym.wire.v1.answers import lay_out
from openenv_gym.wire.v1.codecs import Codec, Frame
from openenv_gym.wire.v1.doorkeeper import Doorkeeper
from openenv_gym.wire.v1.entries import CONTROL, FEATURE_OF, Call, FrameError, Kind, RequestEntry, Verb
from openenv_gym.wire.v1.hosted_session import HostedSession, Stage
from openenv_gym.wire.v1.server_connection import ServerConnection
from openenv_gym.wire.v1.server_effects import CloseSession, Effect, OpenSession, RunCall
from openenv_gym.wire.v1.server_terms import ServerTerms, within

_CALLS: dict[str, Call] = {call.value: call for call in Call}
_VERBS = frozenset(verb.value for verb in Verb)
# Every step passes here, and an enum's members are slow to look up.
_IDLE, _RUNNING, _CLOSING, _OPENING = Stage.IDLE, Stage.RUNNING, Stage.CLOSING, Stage.OPENING


class ServerMachine:
    """The server's half of the dialect.

    Args:
        terms: Limits and what the greeting says.

    Attributes:
        terms: See above.
    """

    def __init__(self, terms: ServerTerms) -> None:
        self.terms = terms
        self._connections: dict[int, ServerConnection] = {}
        self._accepted = 0
        self._sessions: dict[str, HostedSession] = {}
        self._outside = 0
        self._door = Doorkeeper(terms)
        self._leases: OrderedDict[str, float] = OrderedDict()  # by expiry: all are equally long
        self._effects: list[Effect] = []
        self._writable: set[int] = set()

    # --- connections -----------------------------------------------------------------------------------

    def connect(self, codec: Codec) -> int:
        """Take in a new connection; its greeting waits to be sent.

        Args:
            codec: Of the agreed subprotocol.

        Returns:
            The connection's number, by which everything else names it.
        """
        self._accepted += 1
        connection = ServerConnection(self._accepted, codec, self.terms.limits)
        self._connections[connection.number] = connection
        greeting = msgspec.to_builtins(self.terms.greeting(max(0, self.free)))
        self._notify(connection, CONTROL, 0, Kind.GREETING, greeting)
        return connection.number

    def disconnect(self, now: float, number: int) -> None:
        """Let a connection go: its sessions' leases begin, and its waiting opens leave."""
        connection = self._connections.pop(number)
        self._writable.discard(number)
        self._door.leave_with(number)
        for session in connection.sessions:
            session.attached = False
            if session.stage is not _CLOSING:
                self._leases[session.id] = now + self.terms.lease

    def receive(self, now: float, number: int, frame: Frame) -> None:
        """Take a client's frame.

        Raises:
            FrameError: It breaks the protocol: close the connection (1002) and `disconnect`.
        """
        connection = self._connections[number]
        entries = connection.codec.decode_requests(frame)
        if len(entries) > self.terms.max_entries:
            raise FrameError(f"a frame of {len(entries)} entries; the limit is {self.terms.max_entries}")
        for entry in entries:
            self._take(now, connection, entry)
        connection.hear(len(frame))

    def accepts(self, number: int) -> bool:
        """Whether to go on reading from a connection; if not, send what waits for it first."""
        return not self._connections[number].is_clogged

    def take_writable(self) -> set[int]:
        """Take the numbers of the connections that something came up for since the last time."""
        writable, self._writable = self._writable, set()
        return writable

    def next_frame(self, number: int) -> Frame | None:
        """Make the next frame for a connection, which can carry it now; ``None`` when nothing waits."""
        return self._connections[number].next_frame(max(0, self.free))

    def take_effects(self) -> list[Effect]:
        """Take what the I/O has to do, in order."""
        effects, self._effects = self._effects, []
        return effects

    # --- requests --------------------------------------------------------------------------------------

    def _take(self, now: float, connection: ServerConnection, entry: RequestEntry) -> None:
        session = self._sessions.get(entry.session)
        if session is None:
            self._take_unknown(now, connection, entry)
            return
        if session.owner != connection.number:
            self._take_over(session, connection)
        if entry.seq == session.seq + 1 and session.stage is _IDLE and entry.op not in _VERBS:
            self._run(session, entry)
        elif entry.op == Verb.CLOSE:
            session.close_seq = entry.seq
            self._close(session, "its client closed it")
        elif entry.op == Verb.RESUME and session.stage is not _CLOSING:
            self._notify(connection, session.id, entry.seq, Kind.RESUMED)
        elif entry.seq == session.seq and entry.op == session.op:
            self._repeat(connection, session)
        elif entry.seq > session.seq or session.stage is _CLOSING:
            self._notify(connection, session.id, entry.seq, *lay_out(self._refusal(session, entry)))
        # else: a leftover from a connection that is gone; its answer was received long ago

    def _take_over(self, session: HostedSession, connection: ServerConnection) -> None:
        """Let the newest connection that names a session carry it, and get its answers."""
        if connection.number < session.owner:
            return  # a leftover
        previous = self._connections.get(session.owner)
        if previous is not None:
            previous.sessions.discard(session)
            previous.retract(session)
        session.owner = connection.number
        session.attached = True
        connection.sessions.add(session)
        self._leases.pop(session.id, None)

    def _run(self, session: HostedSession, entry: RequestEntry) -> None:
        """Run the next call, or answer it with the reason why not: either way its number is used up."""
        call = _CALLS.get(entry.op)
        session.seq, session.op, session.answer = entry.seq, entry.op, None
        payload: Any = {} if entry.payload is None else entry.payload
        if self._door.draining:
            self._answer(session, refusals.draining(self.terms.retry_after))
        elif call is None:
            self._answer(session, refusals.unknown_op(entry.op))
        elif call in FEATURE_OF and FEATURE_OF[call] not in self.terms.features:
            self._answer(session, refusals.not_offered(FEATURE_OF[call]))
        elif type(payload) is not dict:
            self._answer(session, refusals.not_an_object(entry.op))
        else:
            session.stage = _RUNNING
            timeout = within(entry.timeout, self.terms.step_timeout)
            self._effects.append(RunCall(session.id, call, payload, timeout))

    def _repeat(self, connection: ServerConnection, session: HostedSession) -> None:
        """Give the last answer again; a call that still runs is answered when it is done."""
        if session.is_answered:
            self._send_answer(session)
        elif session.stage is _CLOSING:
            self._notify(connection, session.id, session.seq, *lay_out(refusals.gone()))

    def _refusal(self, session: HostedSession, entry: RequestEntry) -> ErrorReply:
        if session.stage is _CLOSING:
            return refusals.gone()
        if entry.seq == session.seq + 1 and session.stage is not _IDLE:
            return refusals.busy(entry.op)
        return refusals.out_of_order(entry.op, entry.seq, session.seq + 1)

    def _take_unknown(self, now: float, connection: ServerConnection, entry: RequestEntry) -> None:
        """Take an entry that concerns the connection, or names no session which holds a slot."""
        session, seq = entry.session, entry.seq
        if session != CONTROL:
            reply = self._door.take(now, connection.number, entry, self.free)
            if reply is None:
                self._admit()
            else:
                self._notify(connection, session, seq, *reply)
        elif entry.op == Verb.PING:
            self._notify(connection, CONTROL, seq, Kind.PONG, entry.payload)
        else:
            self._notify(connection, CONTROL, seq, *lay_out(refusals.unknown_op(entry.op)))

    # --- opening ---------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Slots free at the moment; negative when others took more than their share."""
        return self.terms.capacity - self._outside - len(self._sessions)

    def occupy(self, slots: int) -> None:
        """Say how many slots are held by sessions of other dialects and transports now."""
        self._outside = slots
        self._admit()

    def opened(self, session_id: str) -> None:
        """Report that `OpenSession` succeeded."""
        session = self._sessions[session_id]
        if session.stage is _OPENING:
            session.stage = _IDLE
            self._send_answer(session)

    def open_failed(self, now: float, session_id: str, reply: ErrorReply) -> None:
        """Report that `OpenSession` failed; the slot is free again.

        Args:
            now: The time.
            session_id: The session.
            reply: Why; an error that ends sessions, such as FACTORY_ERROR or CAPACITY_REACHED.
        """
        session = self._sessions[session_id]
        if session.stage is _OPENING:
            session.answer = reply
            self._send_answer(session)
        self._remove(now, session)

    def _admit(self) -> None:
        """Give free slots to those who wait."""
        while self.free > 0 and (waiting := self._door.admit()) is not None:
            connection = self._connections[waiting.connection]
            parent = self._sessions.get(waiting.parent) if waiting.parent is not None else None
            if waiting.parent is not None and (parent is None or parent.stage is _CLOSING):
                self._refuse_open(waiting, refusals.gone("the session to fork from is gone"))
                continue
            session = HostedSession(waiting.session, connection.number)
            self._sessions[session.id] = session
            connection.sessions.add(session)
            timeout = self.terms.open_timeout
            self._effects.append(OpenSession(session.id, timeout, waiting.parent, waiting.snapshot))

    def _refuse_open(self, waiting: WaitingOpen, reply: ErrorReply) -> None:
        self._notify(self._connections[waiting.connection], waiting.session, 0, *lay_out(reply))

    # --- answering -------------------------------------------------------------------------------------

    def finished(self, session_id: str, answer: Reply) -> None:
        """Report a call's answer; an error that ends the session makes the machine close it."""
        session = self._sessions[session_id]
        if session.stage is _RUNNING:  # else it is being closed, and nobody waits any more
            self._answer(session, answer)

    def _answer(self, session: HostedSession, answer: Reply) -> None:
        session.answer, session.stage = answer, _IDLE
        if isinstance(answer, ErrorReply) and answer.ends_session:
            self._close(session, f"its last {session.op} ended it", keep_answer=True)
        self._send_answer(session)

    def _send_answer(self, session: HostedSession) -> None:
        if session.attached:
            self._connections[session.owner].answer(session)
            self._writable.add(session.owner)

    def _notify(
        self, connection: ServerConnection, session: str, seq: int, kind: str, payload: Any = None
    ) -> None:
        connection.notify((session, seq, str(kind), payload))
        self._writable.add(connection.number)

    # --- closing ---------------------------------------------------------------------------------------

    def end(self, session_id: str, reply: ErrorReply) -> None:
        """End a session from the server's side, whatever it does; its client is told.

        Args:
            session_id: The session.
            reply: Why; an error that ends sessions.
        """
        session = self._sessions[session_id]
        if session.stage is _RUNNING:
            self._answer(session, reply)
        elif session.stage is not _CLOSING:
            self._close(session, reply.message, keep_answer=True)
            if session.attached:
                self._notify(self._connections[session.owner], session.id, session.seq, *lay_out(reply))

    def closed(self, now: float, session_id: str) -> None:
        """Report that `CloseSession` is done and the slot free."""
        session = self._sessions[session_id]
        if session.close_seq is not None and session.attached:
            self._notify(self._connections[session.owner], session.id, session.close_seq, Kind.CLOSED)
        self._remove(now, session)

    def _close(self, session: HostedSession, why: str, *, keep_answer: bool = False) -> None:
        if session.stage is _CLOSING:
            return
        session.stage = _CLOSING
        self._leases.pop(session.id, None)
        if session.attached and not keep_answer:
            self._connections[session.owner].retract(session)
        self._effects.append(CloseSession(session.id, why))

    def _remove(self, now: float, session: HostedSession) -> None:
        """Free a session's slot for those who wait."""
        del self._sessions[session.id]
        self._leases.pop(session.id, None)
        if session.attached:
            self._connections[session.owner].sessions.discard(session)
        answer = session.answer
        last = answer if isinstance(answer, ErrorReply) and answer.ends_session else None
        self._door.bury(now, session.id, session.seq, last)
        self._admit()

    # --- time and the end ------------------------------------------------------------------------------

    @property
    def next_wakeup(self) -> float | None:
        """When `wake` has something to do next; ``None`` when only a frame or a report can change that."""
        lease = next(iter(self._leases.values()), None)
        deadline = self._door.next_deadline
        return min((time for time in (lease, deadline) if time is not None), default=None)

    def wake(self, now: float) -> None:
        """Close the sessions whose lease is over, and refuse the opens that have waited long enough."""
        while self._leases:
            session_id, expiry = next(iter(self._leases.items()))
            if expiry > now:
                break
            self._leases.popitem(last=False)
            self._close(self._sessions[session_id], "its lease is over")
        for waiting, reply in self._door.expire(now):
            self._refuse_open(waiting, reply)

    def drain(self) -> None:
        """Refuse new sessions and new calls from now on; what runs may finish."""
        for waiting, reply in self._door.drain():
            self._refuse_open(waiting, reply)
        for connection in self._connections.values():
            payload = {"retry_after": self.terms.retry_after}
            self._notify(connection, CONTROL, 0, Kind.DRAINING, payload)

    @property
    def is_quiet(self) -> bool:
        """Whether no call runs and no session is being opened."""
        busy = (_RUNNING, _OPENING)
        return not any(session.stage in busy for session in self._sessions.values())

    @property
    def session_count(self) -> int:
        """Sessions that hold a slot: open, being opened, or being closed."""
        return len(self._sessions)

    def end_all(self) -> None:
        """End every session because the server stops."""
        reply = refusals.draining(self.terms.retry_after)
        for session_id in list(self._sessions):
            self.end(session_id, reply)
