"""Answers <-> kind and payload of a reply entry."""

from __future__ import annotations

from typing import Any

import msgspec

from openenv_gym.wire.messages import (
    ErrorReply,
    FrameReply,
    McpReply,
    Outcome,
    Reply,
    RestoredReply,
    SnapshotReply,
    StateReply,
)
from openenv_gym.wire.v1.entries import FrameError, Kind

_OUTCOME, _ERROR, _GONE = Kind.OUTCOME.value, Kind.ERROR.value, Kind.GONE.value


def lay_out(answer: Reply) -> tuple[str, Any]:
    """Lay an answer out as the kind and the payload of a reply entry.

    An outcome's last elements are left out where they say nothing: most steps send two of five.
    """
    if isinstance(answer, Outcome):  # most answers; a class pattern takes four times as long
        if answer.metadata is None and not answer.done and not answer.truncated:
            return _OUTCOME, (answer.observation, answer.reward)
        flags = (answer.done, answer.truncated)
        if answer.metadata is None:
            return _OUTCOME, (answer.observation, answer.reward, *flags)
        return _OUTCOME, (answer.observation, answer.reward, *flags, answer.metadata)
    match answer:
        case StateReply(data):
            return Kind.STATE.value, data
        case McpReply(data):
            return Kind.MCP.value, data
        case ErrorReply(code, message, details):
            return _GONE if answer.ends_session else _ERROR, (str(code), message, details)
        case SnapshotReply(handle):
            return Kind.SNAPSHOT.value, handle
        case RestoredReply():
            return Kind.RESTORED.value, None
        case FrameReply(frame):
            return Kind.FRAME.value, frame


def read_answer(kind: str, payload: Any) -> Reply | None:
    """Read a call's answer back; ``None`` when the kind is not an answer's.

    Raises:
        FrameError: The payload is not what the kind promises.
    """
    if kind == _OUTCOME:
        return _read_outcome(payload)
    match kind, payload:
        case ((Kind.ERROR | Kind.GONE), _):
            return read_error(payload)
        case Kind.STATE, dict():
            return StateReply(payload)
        case Kind.MCP, dict():
            return McpReply(payload)
        case Kind.SNAPSHOT, str():
            return SnapshotReply(payload)
        case Kind.RESTORED, _:
            return RestoredReply()
        case Kind.FRAME, _:
            return FrameReply(payload)
        case ((Kind.STATE | Kind.MCP | Kind.SNAPSHOT), _):
            raise FrameError(f"a {kind} does not carry a {type(payload).__name__}")
    return None


def read_error(payload: Any) -> ErrorReply:
    """Read the payload of an ``error`` or ``gone``.

    Raises:
        FrameError: It is none.
    """
    match payload:
        case [str() as code, str() as message, dict() as details, *_]:
            return ErrorReply(code, message, details)
    raise FrameError("an error is [code, message, details]")


def _read_outcome(payload: Any) -> Outcome:
    if type(payload) is list and tuple(map(type, payload)) in _USUAL_OUTCOMES:
        return Outcome(*payload)
    try:
        body = msgspec.convert(payload, _OutcomeBody)
        if body.reward is not None:
            float(body.reward)
    except (msgspec.ValidationError, OverflowError) as error:
        raise FrameError(f"an outcome is [observation, reward, done, truncated, metadata]: {error}") from None
    return Outcome(body.observation, body.reward, body.done, body.truncated, body.metadata)


# The types that most outcomes have: looking them up takes a third of a conversion's time.
_USUAL_OUTCOMES = frozenset(
    (dict, reward, *rest)
    for reward in (float, type(None))
    for rest in ((), (bool, bool), (bool, bool, dict), (bool, bool, type(None)))
)


class _OutcomeBody(msgspec.Struct, array_like=True):
    observation: dict[str, Any]
    reward: int | float | None
    done: bool = False
    truncated: bool = False
    metadata: dict[str, Any] | None = None
