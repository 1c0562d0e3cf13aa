"""A peer's error reply -> the exception a caller sees."""

from __future__ import annotations

from openenv_gym.errors import (
    AuthenticationError,
    CapacityError,
    ConcurrentCallError,
    EnvironmentFailedError,
    InvalidActionError,
    NotResetError,
    OpenEnvGymError,
    ProtocolError,
    SessionLostError,
    SnapshotLostError,
    StepTimeoutError,
)
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason

_BY_REASON: dict[str, type[OpenEnvGymError]] = {
    Reason.DEADLINE: StepTimeoutError,
    Reason.CRASHED: SessionLostError,
    Reason.CLOSED: SessionLostError,
    Reason.TOO_LARGE: SessionLostError,
    Reason.BUSY: ConcurrentCallError,
    Reason.NO_SNAPSHOT: SnapshotLostError,
}


def error_from_reply(reply: ErrorReply) -> OpenEnvGymError:
    """Build (not raise) the exception that an error reply stands for."""
    if reply.reason in (Reason.NOT_RESET, Reason.EPISODE_OVER):
        return NotResetError(reply.message, reply.code, reply.details)
    if reply.reason == Reason.DRAINING or reply.code == ErrorCode.CAPACITY_REACHED:
        retry_after = reply.details.get("retry_after")
        return CapacityError(reply.message, retry_after if isinstance(retry_after, int | float) else None)
    if reply.reason in _BY_REASON:
        return _BY_REASON[reply.reason](reply.message)
    match reply.code:
        case ErrorCode.VALIDATION_ERROR:
            return InvalidActionError(_with_errors(reply), reply.code, reply.details)
        case ErrorCode.EXECUTION_ERROR | ErrorCode.FACTORY_ERROR:
            return EnvironmentFailedError(reply.message, reply.code, reply.details)
        case ErrorCode.INVALID_JSON | ErrorCode.UNKNOWN_TYPE:
            return ProtocolError(f"the server refused our frame: {reply.message}")
        case ErrorCode.SESSION_ERROR:
            return SessionLostError(reply.message)
        case "UNAUTHORIZED":
            return AuthenticationError(reply.message)
    return EnvironmentFailedError(f"{reply.message} (code {reply.code})", reply.code, reply.details)


def _with_errors(reply: ErrorReply) -> str:
    """Append pydantic's findings, one a line: the message alone says only that something is invalid."""
    errors = reply.details.get("errors")
    if not isinstance(errors, list):
        return reply.message
    lines = [reply.message]
    for error in errors[:10]:
        if isinstance(error, dict):
            location = error.get("loc")
            where = ".".join(map(str, location)) if isinstance(location, list | tuple) else ""
            lines.append(f"  {where or '(whole)'}: {error.get('msg', error)}")
    return "\n".join(lines)
