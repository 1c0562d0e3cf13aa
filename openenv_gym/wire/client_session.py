"""The client's view of one session as a state machine: which call is legal, and what a fault leaves behind.

::

    state     call            reply   error reply   refused   fault   close
    -------   -------------   -----   -----------   -------   -----   ------
    FRESH     BUSY            -       -             -         LOST    CLOSED     no episode yet
    IDLE      BUSY            -       -             -         LOST    CLOSED
    BUSY      (not allowed)   IDLE    (as before)   LOST      LOST    CLOSED
    LOST      reset: BUSY     -       -             -         LOST    CLOSED     else: refused with the cause
    CLOSED    (not allowed)   -       -             -         CLOSED  CLOSED

An *error reply* leaves the session where it was before the call, so a failed ``reset`` does not bring a lost
session back. *Refused* is an error reply that ends the session; one for lack of capacity, before any episode,
leaves it as it was. A lost episode is never continued on a fresh environment: only ``reset`` leaves LOST.
"""

from __future__ import annotations

from enum import Enum, auto

from openenv_gym.errors import ClosedError, ConcurrentCallError, SessionLostError
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op, Reply


class Phase(Enum):
    """Where a session stands."""

    FRESH = auto()
    IDLE = auto()
    BUSY = auto()
    LOST = auto()
    CLOSED = auto()


# Every call passes here, and an enum's members are slow to look up.
_IDLE, _BUSY, _LOST, _CLOSED = Phase.IDLE, Phase.BUSY, Phase.LOST, Phase.CLOSED


class ClientSession:
    """Tracks one session; the I/O around it asks before each call and reports what happened.

    Args:
        phase: Where it begins: FRESH, or IDLE for a fork, which has its parent's episode.

    Attributes:
        phase: Where the session stands.
    """

    def __init__(self, phase: Phase = Phase.FRESH) -> None:
        self.phase = phase
        self._before = phase
        self._cause: SessionLostError | None = None

    def begin(self, op: Op) -> None:
        """Start a call.

        Raises:
            ConcurrentCallError: Another call is running.
            SessionLostError: The episode is gone and ``op`` is not a reset.
            ClosedError: The session was closed.
        """
        phase = self.phase
        if phase is _BUSY:
            raise ConcurrentCallError(
                f"{op}() was called while another call of this session is running; await each call, or open "
                "one client a rollout"
            )
        if op is not Op.RESET or phase is _CLOSED:
            self.require_alive(op)
        self._before, self.phase = phase, _BUSY

    def require_alive(self, what: str) -> None:
        """Raise `ClosedError` or `SessionLostError` where there is nothing (any more) to do ``what`` with."""
        if self.phase is Phase.CLOSED:
            raise ClosedError(f"{what}() was called after close(); make a new client")
        if self.phase is Phase.LOST:
            raise SessionLostError(f"{self._cause}; call reset() to start a new episode") from self._cause

    def finish(self, reply: Reply) -> None:
        """Record the reply to the running call."""
        if self.phase is _CLOSED:
            return
        if not isinstance(reply, ErrorReply):
            self.phase = _IDLE
        elif not reply.ends_session or self._is_refused_at_the_door(reply):
            self.abandon()
        else:
            self.fail(SessionLostError(f"the server ended the session: {reply.message}"))

    def _is_refused_at_the_door(self, reply: ErrorReply) -> bool:
        return reply.code == ErrorCode.CAPACITY_REACHED and self._before is not _IDLE

    def fail(self, cause: SessionLostError) -> None:
        """Record that the connection, or the certainty about what it carried, is gone."""
        if self.phase is not _CLOSED:
            self.phase, self._cause = _LOST, cause

    def abandon(self) -> None:
        """Record that the running call changed nothing, for example because it could not be sent."""
        if self.phase is _BUSY:
            self.phase = self._before

    def close(self) -> None:
        """Record that the session was closed by its user."""
        self.phase = _CLOSED
