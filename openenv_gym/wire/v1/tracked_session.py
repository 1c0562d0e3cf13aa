"""What a client knows about one session.

::

    phase      call   reply   gone    close     same server again     other server
    -------    ----   -----   -----   -------   -------------------   ----------------------
    OPENING    -      IDLE    (over)  CLOSING   sends open again      sends open again
    IDLE       BUSY   -       (over)  CLOSING   sends resume          (over) one fault
    BUSY       -      IDLE    (over)  CLOSING   sends the call again  (over) outcome unknown
    CLOSING    -      -       -       -         sends close again     (over)

*Over*: reported and forgotten. Only a reply with the number of the running request counts; any other is an
answer given twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Phase(Enum):
    """Where a session stands."""

    OPENING = auto()
    IDLE = auto()
    BUSY = auto()
    CLOSING = auto()


@dataclass(slots=True, eq=False)
class TrackedSession:
    """One session.

    Attributes:
        id: Its name, a secret.
        entry: The request that is not answered yet, encoded; empty when there is none.
        deadline: When waiting for its answer ends.
        phase: Where the session stands.
        seq: The number of its last request.
        op: What that request was.
        sent: Whether that request is on the present connection.
        known: Whether the server may have heard of the session.
        resuming: Whether a ``resume`` is sent and not answered.
        reported: Whether its end was reported, so that closing it is nobody's business any more.
    """

    id: str
    entry: bytes
    deadline: float
    phase: Phase = Phase.OPENING
    seq: int = 0
    op: str = "open"
    sent: bool = False
    known: bool = False
    resuming: bool = False
    reported: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is due."""
        return self.phase is Phase.OPENING or self.phase is Phase.BUSY
