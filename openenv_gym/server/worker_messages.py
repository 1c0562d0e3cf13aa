"""What a server and its worker processes say to each other, as values for `wire.pipe`.

::

    server -> worker                           worker -> server, or ["error", code, message, details]
    ["prepare", {recipe}, python_path]         ["prepared"]
    ["open"]                                   ["opened"]
    ["request", op, payload, timeout]          ["outcome", ...], ["state", data], ["mcp", data],
                                               ["snapshot", bytes], or ["frame", value]
    ["restore", bytes, timeout]                ["restored"]
    ["question", method, arguments, timeout]   ["answer", value]
    ["close"]                                  (exits)

One message is in flight at a time.
"""

from __future__ import annotations

from typing import Any

from openenv_gym.server.jobs import Answer, HostReply, Job, Question, Restore, Snapshot
from openenv_gym.wire.messages import (
    ErrorReply,
    FrameReply,
    McpReply,
    Op,
    Outcome,
    Request,
    RestoredReply,
    SnapshotReply,
    StateReply,
)
from openenv_gym.wire.pipe import FrameError

Message = list[Any]


def job_message(job: Job, timeout: float | None) -> Message:
    """Lay out a job."""
    if isinstance(job, Question):
        return ["question", job.method, job.arguments, timeout]
    if isinstance(job, Restore):
        return ["restore", job.state, timeout]
    return ["request", job.op.value, job.payload, timeout]


def read_job(message: Message) -> tuple[Job, float | None]:
    """Read a job and its timeout."""
    match message:
        case ["request", op, dict() as payload, timeout]:
            return Request(Op(op), payload), timeout
        case ["question", str() as method, dict() as arguments, timeout]:
            return Question(method, arguments), timeout
        case ["restore", bytes() as state, timeout]:
            return Restore(state), timeout
    raise FrameError(f"not a job: {str(message)[:200]}")


def reply_message(reply: HostReply) -> Message:
    """Lay out a reply."""
    match reply:
        case Outcome(observation, reward, done, truncated, metadata):
            return ["outcome", observation, reward, done, truncated, metadata]
        case StateReply(data):
            return ["state", data]
        case McpReply(data):
            return ["mcp", data]
        case Answer(value):
            return ["answer", value]
        case Snapshot(state):
            return ["snapshot", state]
        case RestoredReply():
            return ["restored"]
        case FrameReply(frame):
            return ["frame", frame]
        case ErrorReply(code, message, details):
            return ["error", str(code), message, details]
        case SnapshotReply():
            raise TypeError("a worker knows states, not handles")


def read_reply(message: Any, job: Job | None = None) -> HostReply:
    """Read a reply, trusting nothing: a worker may be in the hands of the code it runs.

    Args:
        message: What came.
        job: What it answers; ``None`` where only an error can be meant.

    Raises:
        FrameError: It is no reply, or none to this job.
    """
    reply = _read_any_reply(message)
    if isinstance(job, Question):
        fits: type | None = Answer
    elif isinstance(job, Restore):
        fits = RestoredReply
    else:
        fits = _REPLY_TYPES[job.op] if job is not None else None
    if isinstance(reply, ErrorReply) or (fits is not None and isinstance(reply, fits)):
        return reply
    raise FrameError(f"not the reply that was asked for: {str(message)[:200]}")


_REPLY_TYPES = {
    Op.RESET: Outcome,
    Op.STEP: Outcome,
    Op.STATE: StateReply,
    Op.MCP: McpReply,
    Op.SNAPSHOT: Snapshot,
    Op.RENDER: FrameReply,
    Op.RESTORE: ErrorReply,
    Op.CLOSE: ErrorReply,
}


def _read_any_reply(message: Any) -> HostReply:
    match message:
        case ["outcome", dict() as observation, None | int() | float() as reward, bool() as done,
              bool() as truncated, None | dict() as metadata]:  # fmt: skip
            return Outcome(observation, reward, done, truncated, metadata)
        case ["state", dict() as data]:
            return StateReply(data)
        case ["mcp", dict() as data]:
            return McpReply(data)
        case ["answer", value]:
            return Answer(value)
        case ["snapshot", bytes() as state]:
            return Snapshot(state)
        case ["restored"]:
            return RestoredReply()
        case ["frame", frame]:
            return FrameReply(frame)
        case ["error", str() as code, str() as text, dict() as details]:
            return ErrorReply(code, text, details)
    raise FrameError(f"not a reply: {str(message)[:200]}")
