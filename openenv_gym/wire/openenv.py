"""OpenEnv's own dialect: JSON text frames on one socket a session, as openenv 0.10.0 speaks it.

Requests are ``{"type": op, "data": {...}}``; replies are ``{"type": kind, "data": {...}}`` with the kinds
observation, state, mcp and error. One request is in flight at a time, so a reply needs no number. Both
directions are here: a client encodes requests and decodes replies, a server the reverse.

OpenEnv's models forbid unknown keys in a frame, so what its dialect has no field for goes into the free-form
places: ``truncated`` into the outcome's ``metadata``, an error's ``reason`` into its ``data``.
"""

from __future__ import annotations

from typing import Any

from openenv_gym.errors import NotSupportedError, ProtocolError
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    FrameReply,
    McpReply,
    Op,
    Outcome,
    Reply,
    Request,
    RestoredReply,
    SnapshotReply,
    StateReply,
)

_OPS_WITH_DATA = {Op.RESET, Op.STEP, Op.MCP}
_OPS = {op.value: op for op in (Op.RESET, Op.STEP, Op.STATE, Op.CLOSE, Op.MCP)}
_KEYS = {op: {"type", "data"} if op in _OPS_WITH_DATA else {"type"} for op in _OPS.values()}


class FrameError(Exception):
    """A server received a frame that is no request; ``reply`` is the answer it deserves."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


# --- the client's half ---------------------------------------------------------------------------------


def encode_request(request: Request) -> str:
    """Turn a request into a text frame.

    Raises:
        TypeError: A value in the payload has no form in JSON.
        ValueError: The payload contains itself, or holds text that is not Unicode.
        NotSupportedError: The dialect has no word for the op.
    """
    if request.op in _OPS_WITH_DATA:
        return json_codec.encode({"type": request.op.value, "data": request.payload})
    if request.op not in _KEYS:
        raise NotSupportedError(needs_v1(request.op))
    return json_codec.encode({"type": request.op.value})


def needs_v1(what: str) -> str:
    """Say why something cannot be asked for in this dialect."""
    return (
        f"{what}() needs openenv-gym.v1: serve the environment with openenv-gym, and insist on no other "
        "dialect; OpenEnv's has no word for it"
    )


def decode_reply(frame: str | bytes) -> Reply:
    """Turn a server's frame into a reply.

    Raises:
        ProtocolError: The frame is not one of the dialect's replies.
    """
    try:
        message = json_codec.decode(frame)
    except json_codec.InvalidJSONError as error:
        raise ProtocolError(
            f"the server sent a frame that is not JSON ({error}): {_excerpt(frame)}"
        ) from None
    data = message.get("data") if isinstance(message, dict) else None
    if isinstance(data, dict):
        kind = message.get("type")
        if kind == "observation" and isinstance(data.get("observation"), dict):
            return _decode_outcome(data)
        if kind == "state":
            return StateReply(data)
        if kind == "mcp":
            return McpReply(data)
        if kind == "error":
            details = dict(data)
            code = str(details.pop("code", "UNKNOWN"))
            return ErrorReply(code, str(details.pop("message", "the server gave no message")), details)
    raise ProtocolError(
        f"the server sent a frame that is not a reply of OpenEnv's dialect: {_excerpt(frame)}"
    )


def _decode_outcome(data: dict[str, Any]) -> Outcome:
    observation: dict[str, Any] = data["observation"]
    reward = data.get("reward")
    done = data.get("done")
    if reward is not None and not _is_number(reward):
        raise ProtocolError(f"the server sent a reward that is not a number: {_excerpt(repr(reward))}")
    if done is not None and not isinstance(done, bool):
        raise ProtocolError(f"the server sent a done that is neither true nor false: {_excerpt(repr(done))}")
    metadata = data.get("metadata")
    if metadata is None:
        metadata = observation.get("metadata")
    if not isinstance(metadata, dict):
        metadata = None
    truncated = bool(metadata and metadata.get("truncated") is True)
    return Outcome(observation, reward, bool(done), truncated, metadata)


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can stand for; JSON's integers have no bound."""
    if not isinstance(value, int | float):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


# --- the server's half ---------------------------------------------------------------------------------


def decode_request(frame: str | bytes) -> Request:
    """Turn a client's frame into a request.

    Raises:
        FrameError: The frame is no request; carries the error reply to send.
    """
    try:
        message = json_codec.decode(frame)
    except json_codec.InvalidJSONError as error:
        raise FrameError(ErrorReply(ErrorCode.INVALID_JSON, f"Invalid JSON: {error}")) from None
    if not isinstance(message, dict):
        raise _invalid("a frame is a JSON object with a 'type'", [], message)
    kind = message.get("type", "")
    op = _OPS.get(kind) if isinstance(kind, str) else None
    if op is None:
        text = f"Unknown message type: {str(kind)[:80]} (known: {', '.join(_OPS)})"
        raise FrameError(ErrorReply(ErrorCode.UNKNOWN_TYPE, text))
    if unknown := message.keys() - _KEYS[op]:
        names = sorted(unknown)
        raise _invalid(f"unknown keys in a {op} frame: {', '.join(names)}", names[:1], message)
    if "data" not in message and (op is Op.STEP or op is Op.MCP):
        raise _invalid(f"a {op} frame needs 'data'", ["data"], message)
    data = message.get("data", {})
    if not isinstance(data, dict):
        raise _invalid(f"'data' of a {op} frame is a JSON object", ["data"], data)
    return Request(op, data)


def encode_reply(reply: Reply) -> str:
    """Turn a reply into a text frame; raises ``TypeError`` or ``ValueError`` for what JSON cannot carry."""
    match reply:
        case Outcome():
            return json_codec.encode({"type": "observation", "data": outcome_body(reply)})
        case StateReply(data):
            return json_codec.encode({"type": "state", "data": data})
        case McpReply(data):
            return json_codec.encode({"type": "mcp", "data": data})
        case ErrorReply(code, message, details):
            return json_codec.encode({"type": "error", "data": {**details, "message": message, "code": code}})
        case SnapshotReply() | RestoredReply() | FrameReply():
            raise TypeError(f"OpenEnv's dialect has no {type(reply).__name__}")


def outcome_body(outcome: Outcome) -> dict[str, Any]:
    """Lay out an outcome as ``/ws`` and HTTP ``/reset`` and ``/step`` send it.

    ``metadata`` stands inside the observation too: OpenEnv's typed clients read it there.
    """
    metadata = outcome.metadata or {}
    if outcome.truncated:
        metadata = {**metadata, "truncated": True}
    body: dict[str, Any] = {
        "observation": {**outcome.observation, "metadata": metadata},
        "reward": outcome.reward,
        "done": outcome.done or outcome.truncated,
    }
    if metadata:
        body["metadata"] = metadata
    return body


def _invalid(message: str, location: list[str], value: Any) -> FrameError:
    """Build a VALIDATION_ERROR whose ``errors`` have pydantic's shape, as OpenEnv's clients expect."""
    errors = [{"type": "frame", "loc": location, "msg": message, "input": type(value).__name__}]
    return FrameError(
        ErrorReply(ErrorCode.VALIDATION_ERROR, f"Invalid message: {message}", {"errors": errors})
    )


def _excerpt(frame: str | bytes) -> str:
    return repr(frame[:120])
