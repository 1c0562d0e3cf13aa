"""Which sessions there are: found by name, and counted against the server's slots."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator

from openenv_gym.server.refusals import SessionRefused, session_error
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.wire.messages import Reason

_REMEMBERED_ENDED_IDS = 4096


class SessionRegister:
    """Holds every session that has a slot: being opened, open, or being closed.

    Args:
        capacity: Slots.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sessions: dict[str, Session] = {}
        self._count_over: Counter[SessionKind] = Counter()
        self._ended_ids: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._sessions

    def count_over(self, kind: SessionKind) -> int:
        """Sessions that were opened over one transport."""
        return self._count_over[kind]

    def add(self, session: Session) -> None:
        """Give a session a slot."""
        self._sessions[session.id] = session
        self._count_over[session.kind] += 1

    def remove(self, session: Session) -> None:
        """Take a session's slot back."""
        del self._sessions[session.id]
        self._count_over[session.kind] -= 1

    def remember_ended(self, session: Session) -> None:
        """Have `find` tell those who still ask for a session that it has ended."""
        self._ended_ids[session.id] = None
        while len(self._ended_ids) > _REMEMBERED_ENDED_IDS:
            self._ended_ids.popitem(last=False)

    def get(self, session_id: str) -> Session | None:
        """Look up an open session; ``None`` where there is none."""
        session = self._sessions.get(session_id)
        return session if session is not None and session.closing is None else None

    def find(self, session_id: str) -> Session:
        """Look up an open session for a client; a multiplexed one is its own connection's alone.

        Raises:
            SessionRefused: There is none, or no longer.
        """
        session = self._sessions.get(session_id)
        if session is not None and session.kind is SessionKind.MULTIPLEXED:
            session = None
        if session is not None and session.closing is None:
            return session
        if session is not None or session_id in self._ended_ids:
            message = "the session has ended: it was closed, failed or idled too long; open a new one"
            raise SessionRefused(session_error(message, Reason.CLOSED))
        raise SessionRefused(session_error("Unknown session_id: open a session first"))

    def rivals(self, kind: SessionKind) -> list[Session]:
        """List the sessions one of which must end before another of this kind can begin.

        HTTP's sessions together may hold a quarter of the slots, or the only one: a client that keeps no
        cookies opens another with each reset. MCP's are opened on purpose, and closed so.
        """
        if kind is SessionKind.HTTP:
            over_http = [session for session in self if session.kind is kind and session.detached]
            if len(over_http) >= max(1, self._capacity // 4):
                return over_http
        return list(self) if len(self) >= self._capacity else []

    def idle_since(self, moment: float) -> list[Session]:
        """List the open sessions that nobody holds by a connection, or has used after a moment."""
        return [
            session
            for session in self
            if session.ready
            and session.closing is None
            and session.detached
            and not session.busy
            and session.last_activity <= moment
        ]

    def has_detached(self) -> bool:
        """Whether any session lives without a connection."""
        return any(session.detached for session in self)
