"""The client's view of one session as a state machine: which call is legal, and what a fault leaves behind.

::

    state     call            reply     fault   close
    -------   -------------   -------   -----   ------
    FRESH     BUSY            -         LOST    CLOSED     no socket yet: the first call connects
    IDLE      BUSY            -         LOST    CLOSED
    BUSY      (refused)       IDLE      LOST    CLOSED
    LOST      reset: BUSY     -         LOST    CLOSED     anything but reset is refused with the cause
    CLOSED    (refused)       -         CLOSED  CLOSED

A lost episode is never continued on a fresh environment: only ``reset`` leaves LOST.
"""

from __future__ import annotations

from enum import Enum, auto

from openenv_gym.errors import ClosedError, ConcurrentCallError, SessionLostError
from openenv_gym.wire.messages import ErrorReply, Op, Reply


class Phase(Enum):
    """Where a session stands."""

    FRESH = auto()
    IDLE = auto()
    BUSY = auto()
    LOST = auto()
    CLOSED = auto()


class ClientSession:
    """Tracks one session; the I/O around it asks before each call and reports what happened.

    Attributes:
        phase: Where the session stands.
    """

    def __init__(self) -> None:
        self.phase = Phase.FRESH
        self._before = Phase.FRESH
        self._cause: SessionLostError | None = None

    @property
    def needs_connection(self) -> bool:
        """Whether the running or next legal call must open a new connection first."""
        phase = self._before if self.phase is Phase.BUSY else self.phase
        return phase in (Phase.FRESH, Phase.LOST)

    def begin(self, op: Op) -> None:
        """Start a call.

        Raises:
            ConcurrentCallError: Another call is running.
            SessionLostError: The episode is gone and ``op`` is not a reset.
            ClosedError: The session was closed.
        """
        if self.phase is Phase.BUSY:
            raise ConcurrentCallError(
                f"{op}() was called while another call of this session is running; await each call, or open "
                "one client a rollout"
            )
        if self.phase is Phase.CLOSED:
            raise ClosedError(f"{op}() was called after close(); make a new client")
        if self.phase is Phase.LOST and op is not Op.RESET:
            raise SessionLostError(f"{self._cause}; call reset() to start a new episode") from self._cause
        self._before, self.phase = self.phase, Phase.BUSY

    def finish(self, reply: Reply) -> None:
        """Record the reply to the running call."""
        if self.phase is Phase.CLOSED:
            return
        if isinstance(reply, ErrorReply) and reply.ends_session:
            self.fail(SessionLostError(f"the server ended the session: {reply.message}"))
        else:
            self.phase = Phase.IDLE

    def fail(self, cause: SessionLostError) -> None:
        """Record that the connection, or the certainty about what it carried, is gone."""
        if self.phase is not Phase.CLOSED:
            self.phase, self._cause = Phase.LOST, cause

    def abandon(self) -> None:
        """Record that a call could not be sent at all: nothing reached the server."""
        if self.phase is Phase.BUSY:
            self.phase = self._before

    def close(self) -> None:
        """Record that the session was closed by its user."""
        self.phase = Phase.CLOSED
