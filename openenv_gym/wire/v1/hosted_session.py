"""What a server knows about one session.

::

    stage      open, same seq   call, same seq   call, next seq   close      lease over   done
    -------    --------------   --------------   --------------   --------   ----------   --------
    OPENING    (joins)          -                busy             CLOSING    CLOSING      IDLE
    IDLE       opened again     answer again     RUNNING          CLOSING    CLOSING      -
    RUNNING    -                (joins)          busy             CLOSING    CLOSING      IDLE
    CLOSING    gone             gone             gone             (joins)    -            (removed)

*Done* is the I/O's word: opened, finished, closed. A seq below the current one is a leftover of a connection
that is gone: dropped. One beyond the next is an error. An answer that ends the session leads to CLOSING too,
and is kept to be given again, at last on the tombstone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from openenv_gym.wire.messages import Reply


class Stage(Enum):
    """Where a session stands."""

    OPENING = auto()
    IDLE = auto()
    RUNNING = auto()
    CLOSING = auto()


@dataclass(slots=True, eq=False)
class HostedSession:
    """One session, which holds a slot of its server.

    Attributes:
        id: The client's name for it, a secret.
        owner: The newest connection that named it.
        attached: Whether that connection stands.
        stage: Where it stands.
        seq: The number of its last request.
        op: What that request was.
        answer: What it was answered; ``None`` while it runs, and for ``open``.
        close_seq: The number of the ``close`` that awaits its reply.
    """

    id: str
    owner: int
    attached: bool = True
    stage: Stage = Stage.OPENING
    seq: int = 0
    op: str = "open"
    answer: Reply | None = None
    close_seq: int | None = None

    @property
    def is_answered(self) -> bool:
        """Whether there is a reply to give (again) to its last request."""
        return self.stage is Stage.IDLE or (self.stage is Stage.CLOSING and self.answer is not None)
