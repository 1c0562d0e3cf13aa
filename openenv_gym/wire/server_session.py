"""The server's view of one session as a state machine: which request the environment may see now.

::

    state      reset    step               state   snapshot    restore       ends
    --------   ------   ----------------   -----   ---------   -----------   ------
    NEW        RUNNING  NOT_RESET          ok      NOT_RESET   (as it was)   CLOSED
    RUNNING    RUNNING  RUNNING or DONE    ok      ok          (as it was)   CLOSED
    DONE       RUNNING  EPISODE_OVER       ok      ok          (as it was)   CLOSED
    CLOSED     CLOSED   CLOSED             CLOSED  CLOSED      CLOSED        CLOSED

A *lenient* session (a tool environment, or one written against OpenEnv, whose clients list tools before any
reset) lets ``step`` through in NEW and DONE, and ``snapshot`` in NEW: its environment decides. ``render`` is
treated as ``snapshot`` is. A ``restore`` leads to the state of its snapshot; one that fails half-way leads to
NEW, as a ``reset`` does.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op, Outcome, Reason, Reply


class Stage(Enum):
    """Where an episode stands."""

    NEW = auto()
    RUNNING = auto()
    DONE = auto()
    CLOSED = auto()


class Place(NamedTuple):
    """Where an episode stood when a snapshot was taken."""

    stage: Stage
    steps: int


# Every step passes here, and an enum's members are slow to look up and to hash.
_NEW, _RUNNING, _DONE, _CLOSED = Stage.NEW, Stage.RUNNING, Stage.DONE, Stage.CLOSED
_RESET, _STEP, _RESTORE = Op.RESET, Op.STEP, Op.RESTORE
_NEEDS_EPISODE = (Op.STEP, Op.SNAPSHOT, Op.RENDER)

_OVER = "the episode is over: call reset() before the next step()"


class ServerSession:
    """Tracks one session's episode.

    Args:
        lenient: Let the environment itself judge a step before reset or after done.

    Attributes:
        stage: Where the episode stands.
        busy: Whether a call is running.
        steps: Steps answered in this episode.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.lenient = lenient
        self.stage = Stage.NEW
        self.busy = False
        self.steps = 0

    def begin(self, op: Op) -> ErrorReply | None:
        """Start a call; a returned error is the reply, and nothing started."""
        stage = self.stage
        if stage is _CLOSED:
            return _refuse(Reason.CLOSED, "the session is closed: open a new one")
        if self.busy:
            return _refuse(Reason.BUSY, f"{op}() while another call of this session is running")
        if stage is not _RUNNING and not self.lenient:
            if stage is _NEW and op in _NEEDS_EPISODE:
                return _refuse(Reason.NOT_RESET, f"{op}() before reset(): call reset() first")
            if stage is _DONE and op is _STEP:
                return _refuse(Reason.EPISODE_OVER, _OVER)
        self.busy = True
        return None

    def finish(self, op: Op, reply: Reply) -> None:
        """Record the reply to the running call."""
        self.busy = False
        if self.stage is _CLOSED:
            return
        if isinstance(reply, ErrorReply):
            if reply.ends_session:
                self.stage = _CLOSED
            elif op is _RESET or (op is _RESTORE and reply.reason != Reason.NO_SNAPSHOT):
                self.stage = _NEW  # half a reset is none
        elif isinstance(reply, Outcome):
            self.steps = 0 if op is _RESET else self.steps + 1
            self.stage = _DONE if reply.done or reply.truncated else _RUNNING

    @property
    def place(self) -> Place:
        """Where the episode stands, for `put_back`."""
        return Place(self.stage, self.steps)

    def put_back(self, place: Place) -> None:
        """Record that the environment is again where it was."""
        if self.stage is not _CLOSED:
            self.stage, self.steps = place

    def close(self) -> None:
        """End the session."""
        self.stage = Stage.CLOSED


def _refuse(reason: Reason, message: str) -> ErrorReply:
    return ErrorReply(ErrorCode.SESSION_ERROR, message, {"reason": reason.value})
