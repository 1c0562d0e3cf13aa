"""A client's sessions at one server, over successive connections.

Frames, the time and the I/O's wishes go in; events and frames come out. The I/O connects, and connects again
with pauses of its own choosing; what is sent again then, and what is lost, is decided here. Its turn is: feed
what came, act on `take_events`, send what `next_frame` makes. All times are seconds of one clock, whose zero
means nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from openenv_gym.errors import ClosedError, ConcurrentCallError, OpenEnvGymError
from openenv_gym.wire.faults import error_from_reply
from openenv_gym.wire.v1.answers import read_answer, read_error
from openenv_gym.wire.v1.client_events import Closed, Event, Gone, Greeted, Opened, Replied
from openenv_gym.wire.v1.client_outbox import ClientOutbox
from openenv_gym.wire.v1.codecs import Codec, Frame
from openenv_gym.wire.v1.entries import (
    CONTROL,
    FEATURE_OF,
    Call,
    Greeting,
    Kind,
    ReplyEntry,
    Verb,
    read_greeting,
)
from openenv_gym.wire.v1.known_server import KnownServer
from openenv_gym.wire.v1.losses import lost_to_an_outage, lost_with_server, out_of_time
from openenv_gym.wire.v1.notices import read_notice
from openenv_gym.wire.v1.tracked_session import Phase, TrackedSession

_LEAST_PATIENCE = 1.0  # seconds


class _Link(Enum):
    DOWN = auto()
    AWAITING_GREETING = auto()
    UP = auto()


# Every call passes here, and an enum's members are slow to look up.
_UP = _Link.UP
_OPENING, _IDLE, _BUSY, _CLOSING = Phase.OPENING, Phase.IDLE, Phase.BUSY, Phase.CLOSING
_GONE = Kind.GONE.value


class ClientMachine:
    """The client's half of the dialect.

    Args:
        codec: The encoding, the same for every connection.
        patience: Seconds beyond a call's own time after which an answer is no longer expected; less for a
            call whose own time is short.
        outage_timeout: Seconds without a connection after which its sessions are given up; at most the
            server's lease and the patience.
        new_id: Makes session ids, which must be unguessable.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        patience: float = 10.0,
        outage_timeout: float = 30.0,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        self._codec = codec
        self._new_id = new_id
        self._server = KnownServer(patience, outage_timeout)
        self._link = _Link.DOWN
        self._sessions: dict[str, TrackedSession] = {}
        self._events: list[Event] = []
        self._outbox = ClientOutbox(codec)
        self._check_at: float | None = None  # no deadline is earlier

    # --- connections -----------------------------------------------------------------------------------

    def connected(self) -> None:
        """Report that a connection stands and the codec's subprotocol is agreed; the server greets first."""
        assert self._link is _Link.DOWN, "disconnected() comes before another connected()"
        self._link = _Link.AWAITING_GREETING

    def disconnected(self, since: float) -> None:
        """Report that the connection is over. Sessions wait for the next.

        Args:
            since: Since when the server has been out of reach.
        """
        self._link = _Link.DOWN
        server = self._server
        if server.away_since is None and server.greeting is not None:
            server.away_since = since
            self._check_by(server.outage_ends)
        self._outbox.clear()
        for session in self._sessions.values():
            session.sent = session.resuming = False

    def receive(self, now: float, frame: Frame) -> None:
        """Take a server's frame.

        Raises:
            FrameError: It breaks the protocol: close the connection, and `abandon` the sessions.
        """
        for entry in self._codec.decode_replies(frame):
            session = self._sessions.get(entry.session)
            if session is not None and self._link is _UP:
                self._take(session, entry)
            elif self._link is _Link.AWAITING_GREETING:
                self._greet(now, read_greeting(entry))
            elif entry.session == CONTROL:
                notice = read_notice(entry)
                if notice is not None:
                    self._events.append(notice)
            # else: the late answer to a session that is forgotten

    def take_events(self) -> list[Event]:
        """Take what happened, in order."""
        events, self._events = self._events, []
        return events

    @property
    def greeting(self) -> Greeting | None:
        """The terms of the server last connected to; ``None`` before the first."""
        return self._server.greeting

    @property
    def is_up(self) -> bool:
        """Whether a connection stands and the server has greeted."""
        return self._link is _UP

    @property
    def is_quiet(self) -> bool:
        """Whether no call waits to be sent, or was sent and is not answered."""
        return self._outbox.is_empty

    @property
    def awaits_answer(self) -> bool:
        """Whether a connection stands and the server owes something on it, be it the greeting."""
        if self._link is not _UP:
            return self._link is _Link.AWAITING_GREETING
        return any(session.phase is not _IDLE or session.resuming for session in self._sessions.values())

    # --- sessions --------------------------------------------------------------------------------------

    def open(
        self,
        now: float,
        timeout: float,
        *,
        parent: str | None = None,
        snapshot: str | None = None,
    ) -> str:
        """Open a session; `Opened` or `Gone` follows. May be called without a connection.

        Args:
            now: The time.
            timeout: Seconds it may wait for a slot. How long its environment may take to be made, the server
                says.
            parent: The session to fork from.
            snapshot: That session's snapshot to start from.

        Returns:
            The session's id.

        Raises:
            NotSupportedError: The server offers no forks.
        """
        payload = None
        if parent is not None:
            self._server.require("fork")
            payload = {"parent": parent, "snapshot": snapshot}
        session_id = self._new_id()
        entry = self._codec.encode((session_id, 0, Verb.OPEN.value, payload, timeout))
        session = TrackedSession(session_id, entry, self._server.opening_deadline(now, timeout))
        self._sessions[session_id] = session
        self._enqueue(session)
        return session_id

    def call(
        self, now: float, session_id: str, op: str, payload: dict[str, Any], timeout: float | None = None
    ) -> None:
        """Start a call; `Replied` or `Gone` follows. May be called without a connection.

        Args:
            now: The time.
            session_id: A session that is open.
            op: A `Call`, or the equal ``messages.Op``.
            payload: Its arguments.
            timeout: Seconds it may take; ``None`` leaves that to the server.

        Raises:
            ClosedError: There is no such open session.
            ConcurrentCallError: Its last call is not answered yet.
            NotSupportedError: The server does not offer this.
            TypeError: A value in the payload has no form on the wire; nothing was sent.
            ValueError: The payload is too large, contains itself, or holds text that is not Unicode;
                nothing was sent.
        """
        session = self._sessions.get(session_id)
        if session is None or session.phase is _CLOSING:
            raise ClosedError(f"{op}() on a session that is not open")
        if session.phase is not _IDLE:
            raise ConcurrentCallError(f"{op}() before the session's {session.op}() was answered")
        server = self._server
        if op in FEATURE_OF:
            server.require(FEATURE_OF[Call(op)])
        seq = session.seq + 1
        entry = self._codec.encode((session_id, seq, op, payload, timeout))
        most = server.limits.max_entry_bytes
        if len(entry) > most:
            raise ValueError(f"the request takes {len(entry)} bytes, and the server accepts {most}")
        assert server.greeting is not None
        limit = server.greeting.step_timeout
        allowed = limit if timeout is None or timeout > limit else timeout
        session.deadline = now + allowed + min(server.patience, _LEAST_PATIENCE + allowed)
        session.seq, session.op, session.entry, session.phase, session.sent = seq, op, entry, _BUSY, False
        self._enqueue(session)

    def close(self, session_id: str) -> None:
        """End a session, even while a call runs, whose answer is not reported any more; `Closed` follows.

        Without effect on a session that is over.
        """
        session = self._sessions.get(session_id)
        if session is None or session.phase is _CLOSING:
            return
        if session.known:
            self._say_goodbye(session)
        else:
            del self._sessions[session_id]
            self._events.append(Closed(session_id))

    def ping(self, payload: Any = None) -> None:
        """Ask for a sign of life; `Ponged` follows unless the connection ends before."""
        if self._link is _UP:
            self._outbox.add_urgent(self._codec.encode((CONTROL, 0, Verb.PING.value, payload)))

    def abandon(self, cause: OpenEnvGymError) -> None:
        """Give every session up: no connection will ever come, or what comes makes no sense."""
        for session in list(self._sessions.values()):
            self._forget(session)
            self._report_end(session, cause)
        self._outbox.clear()

    @property
    def session_count(self) -> int:
        """Sessions that are not over."""
        return len(self._sessions)

    # --- sending ---------------------------------------------------------------------------------------

    def next_frame(self) -> Frame | None:
        """Make the next frame, which the connection can carry now; ``None`` when nothing may be sent.

        Calls wait while the server's window is full: ``window_bytes`` sent and not answered.
        """
        if self._link is not _UP:
            return None
        server = self._server
        assert server.greeting is not None
        return self._outbox.next_frame(server.limits, server.greeting.window_bytes)

    def _enqueue(self, session: TrackedSession) -> None:
        self._check_by(session.deadline)
        if self._link is _UP:
            self._outbox.add(session)

    def _say_goodbye(self, session: TrackedSession) -> None:
        self._outbox.settle(session)
        session.phase = _CLOSING
        if self._link is _UP:
            self._outbox.add_urgent(self._goodbye(session))

    def _goodbye(self, session: TrackedSession) -> bytes:
        return self._codec.encode((session.id, session.seq + 1, Verb.CLOSE.value))

    # --- receiving -------------------------------------------------------------------------------------

    def _take(self, session: TrackedSession, entry: ReplyEntry) -> None:
        if entry.kind == _GONE:
            if session.phase is not _CLOSING:
                reply = read_error(entry.payload)
                self._forget(session)
                self._events.append(Gone(session.id, error_from_reply(reply), reply))
        elif session.phase is _CLOSING:
            if entry.kind == Kind.CLOSED:
                self._forget(session)
                self._report_closed(session)
        elif session.phase is _OPENING:
            self._take_opened(session, entry)
        elif session.phase is _BUSY and entry.seq == session.seq:
            answer = read_answer(entry.kind, entry.payload)
            if answer is not None:
                self._outbox.settle(session)
                session.phase = _IDLE
                self._events.append(Replied(session.id, answer))
        elif entry.kind == Kind.RESUMED:
            session.resuming = False

    def _take_opened(self, session: TrackedSession, entry: ReplyEntry) -> None:
        if entry.kind == Kind.OPENED:
            self._outbox.settle(session)
            session.phase = _IDLE
            free = entry.payload
            self._events.append(Opened(session.id, free if isinstance(free, int) else None))

    def _greet(self, now: float, greeting: Greeting) -> None:
        """Take up where the last connection ended, or begin anew with another server."""
        former = self._server.greeting
        same = former is not None and former.instance == greeting.instance
        restarted = former is not None and not same
        self._server.meet(greeting)
        self._link = _UP
        self._events.append(Greeted(greeting, same))
        for session in list(self._sessions.values()):
            if restarted and session.phase is not _OPENING:
                self._forget(session)
                self._report_end(session, lost_with_server(session))
            elif session.is_waiting:
                self._outbox.add(session)
            elif session.phase is _CLOSING:
                self._outbox.add_urgent(self._goodbye(session))
            else:
                session.resuming = True
                self._outbox.add_urgent(
                    self._codec.encode((session.id, session.seq, Verb.RESUME.value, None))
                )

    # --- ends ------------------------------------------------------------------------------------------

    def _forget(self, session: TrackedSession) -> None:
        self._outbox.settle(session)
        del self._sessions[session.id]

    def _report_end(self, session: TrackedSession, cause: OpenEnvGymError) -> None:
        """Report a fault, unless the user has closed the session and waits for just that."""
        if session.phase is _CLOSING:
            self._report_closed(session)
        else:
            self._events.append(Gone(session.id, cause))

    def _report_closed(self, session: TrackedSession) -> None:
        if not session.reported:
            self._events.append(Closed(session.id))

    def _give_up(self, session: TrackedSession, cause: OpenEnvGymError) -> None:
        """Report a session lost, and see to it that the server lets go of it too."""
        self._report_end(session, cause)
        session.reported = True
        if session.known:
            self._say_goodbye(session)
        else:
            self._forget(session)

    # --- time ------------------------------------------------------------------------------------------

    @property
    def next_wakeup(self) -> float | None:
        """When to call `wake` at the latest; ``None`` when there is nothing to wait for."""
        return self._check_at

    def wake(self, now: float) -> None:
        """Give up the calls whose time is over, and everything when the connection is gone for too long.

        The next wake-up is a lower bound, found by looking at every session: calls that are answered in time
        never touch a timer.
        """
        if self._check_at is None or now < self._check_at:
            return
        self._check_at = None
        server = self._server
        if server.away_since is not None:
            if now >= server.outage_ends:
                self._give_up_on_server(now - server.away_since)
            else:
                self._check_by(server.outage_ends)
        for session in list(self._sessions.values()):
            if session.is_waiting:
                if session.deadline <= now:
                    self._give_up(session, out_of_time(session))
                else:
                    self._check_by(session.deadline)

    def _give_up_on_server(self, seconds: float) -> None:
        for session in list(self._sessions.values()):
            if session.phase is not _OPENING and session.phase is not _CLOSING:
                self._give_up(session, lost_to_an_outage(seconds))

    def _check_by(self, time: float) -> None:
        if self._check_at is None or time < self._check_at:
            self._check_at = time
