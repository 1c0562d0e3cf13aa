"""Replies as HTTP: bodies in, status codes and bodies out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from openenv_gym.server.refusals import RETRY_AFTER
from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason
from openenv_gym.wire.openenv import FrameError

_STATUS_OF_REASON: dict[str, int] = {
    Reason.NOT_RESET: 409,
    Reason.EPISODE_OVER: 409,
    Reason.BUSY: 409,
    Reason.CLOSED: 410,
    Reason.TOO_LARGE: 413,
    Reason.DRAINING: 503,
    Reason.DEADLINE: 504,
}
_STATUS_OF_CODE: dict[str, int] = {
    ErrorCode.INVALID_JSON: 422,
    ErrorCode.UNKNOWN_TYPE: 422,
    ErrorCode.VALIDATION_ERROR: 422,
    ErrorCode.SESSION_ERROR: 404,
    ErrorCode.CAPACITY_REACHED: 503,
}


def status_of(reply: ErrorReply) -> int:
    """Choose the HTTP status of an error: by its reason where it has one, else by its code."""
    return _STATUS_OF_REASON.get(reply.reason or "") or _STATUS_OF_CODE.get(reply.code, 500)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Encode a body as the WebSocket would: NaN and huge integers keep their value.

    Raises:
        TypeError: The body, or a part of it, has no JSON form.
        ValueError: It contains itself, or text that is not Unicode.
    """
    return Response(json_codec.encode(body), status, headers, media_type="application/json")


def problem(
    reply: ErrorReply, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Turn an error into a response, with a status of its own or the one that `status_of` chooses."""
    status = status or status_of(reply)
    all_headers = dict(headers or {})
    if status == 503:
        all_headers["Retry-After"] = f"{RETRY_AFTER:.0f}"
    return json_response({**reply.details, "detail": reply.message, "code": reply.code}, status, all_headers)


async def read_object(request: HttpRequest) -> dict[str, Any]:
    """Read a request's body as a JSON object; no body is an empty one.

    Raises:
        FrameError: It is none; carries the error to answer with.
    """
    body = await request.body()
    if not body.strip():
        return {}
    try:
        value = json_codec.decode(body)
    except json_codec.InvalidJSONError as error:
        raise FrameError(ErrorReply(ErrorCode.INVALID_JSON, f"Invalid JSON: {error}")) from None
    if not isinstance(value, dict):
        raise FrameError(ErrorReply(ErrorCode.VALIDATION_ERROR, "the body is a JSON object"))
    return value
