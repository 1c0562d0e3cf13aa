"""The messages of a session, whatever dialect carries them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

# Structs, because a frozen dataclass takes four times as long to make, and every step makes two. gc=False,
# because what they hold never leads back to them, and thousands alive at once would keep the collector busy.


class Op(StrEnum):
    """What a client can ask of a session."""

    RESET = "reset"
    STEP = "step"
    STATE = "state"
    CLOSE = "close"
    MCP = "mcp"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    RENDER = "render"


class ErrorCode(StrEnum):
    """The error codes of OpenEnv's dialect."""

    INVALID_JSON = "INVALID_JSON"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    EXECUTION_ERROR = "EXECUTION_ERROR"
    CAPACITY_REACHED = "CAPACITY_REACHED"
    FACTORY_ERROR = "FACTORY_ERROR"
    SESSION_ERROR = "SESSION_ERROR"


class Reason(StrEnum):
    """Finer than a code: travels as ``reason`` in an error's data, which OpenEnv's clients ignore."""

    NOT_RESET = "not_reset"  # step() before reset()
    EPISODE_OVER = "episode_over"  # step() after done
    DEADLINE = "deadline"  # the call overran its deadline; the session is closed
    CRASHED = "crashed"  # the environment's worker died; the session is closed
    CLOSED = "closed"  # the session expired, was closed or never existed
    BUSY = "busy"  # another call of this session is running
    DRAINING = "draining"  # the server is shutting down
    TOO_LARGE = "too_large"  # the frame exceeds the server's limit
    NO_SNAPSHOT = "no_snapshot"  # the session keeps none of that handle, or no longer


class Request(msgspec.Struct, frozen=True, gc=False):
    """One call on a session.

    Attributes:
        op: The operation.
        payload: ``reset``: its options (``seed``, ``episode_id`` and the environment's own); ``step``: the
            action's fields; ``mcp``: a JSON-RPC request; ``restore``: ``{"snapshot": handle}``; ``render``:
            ``{"mode": mode}``; otherwise empty.
    """

    op: Op
    payload: dict[str, Any] = {}


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The reply to ``reset`` and ``step``.

    ``done`` is set for either kind of end. An episode that the task ended in the very step that reached a
    limit says so by ``terminated`` in the metadata, beside ``truncated``.
    """

    observation: dict[str, Any]
    reward: float | None = None
    done: bool = False
    truncated: bool = False
    metadata: dict[str, Any] | None = None

    @property
    def terminated(self) -> bool:
        """Whether the task itself ended the episode (Gymnasium's ``terminated``)."""
        if not self.truncated:
            return self.done
        return self.metadata is not None and self.metadata.get("terminated") is True


class StateReply(msgspec.Struct, frozen=True, gc=False):
    """The reply to ``state``."""

    data: dict[str, Any]


class McpReply(msgspec.Struct, frozen=True, gc=False):
    """The reply to ``mcp``: a JSON-RPC response."""

    data: dict[str, Any]


class SnapshotReply(msgspec.Struct, frozen=True, gc=False):
    """The reply to ``snapshot``: a name for the environment's state, valid while its session lives."""

    handle: str


class RestoredReply(msgspec.Struct, frozen=True, gc=False):
    """The reply to ``restore``."""


class FrameReply(msgspec.Struct, frozen=True, gc=False):
    """The reply to ``render``: an array, or text, as the mode has it."""

    frame: Any


class ErrorReply(msgspec.Struct, frozen=True, gc=False):
    """The reply to a call that failed.

    Attributes:
        code: One of `ErrorCode`; a peer may send others.
        message: For people.
        details: Everything else the peer sent, for example ``errors``, ``reason`` or ``max_sessions``.
    """

    code: str
    message: str
    details: dict[str, Any] = {}

    @property
    def reason(self) -> str | None:
        """The finer `Reason`, when the peer sent one."""
        reason = self.details.get("reason")
        return reason if isinstance(reason, str) else None

    @property
    def ends_session(self) -> bool:
        """Whether the session is gone after this error."""
        if self.reason in _REASONS_THAT_END:
            return True
        return self.code in _CODES_THAT_END and self.reason not in _REASONS_THAT_DO_NOT_END


_REASONS_THAT_END = {Reason.DEADLINE, Reason.CRASHED, Reason.CLOSED, Reason.TOO_LARGE}
_REASONS_THAT_DO_NOT_END = {Reason.NOT_RESET, Reason.EPISODE_OVER, Reason.BUSY}
_CODES_THAT_END = {ErrorCode.CAPACITY_REACHED, ErrorCode.FACTORY_ERROR, ErrorCode.SESSION_ERROR}

Reply = Outcome | StateReply | McpReply | SnapshotReply | RestoredReply | FrameReply | ErrorReply
