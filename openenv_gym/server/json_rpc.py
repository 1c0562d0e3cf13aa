"""JSON-RPC 2.0: what is a request, and what responses look like."""

from __future__ import annotations

from typing import Any

# Section 5.1 of its specification.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000


def result(request_id: Any, value: Any) -> dict[str, Any]:
    """Build a successful response."""
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


def error(request_id: Any, code: int, message: str, data: Any = None) -> dict[str, Any]:
    """Build an error response."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message, "data": data}}


def problem_with(message: Any) -> str | None:
    """Say what keeps a value from being a JSON-RPC request; ``None`` if nothing does."""
    if not isinstance(message, dict):
        return "a request is one JSON object"
    if message.get("jsonrpc") != "2.0":
        return "'jsonrpc' must be '2.0'"
    if not isinstance(message.get("method"), str):
        return "'method' must be a string"
    if not isinstance(message.get("params", {}), dict):
        return "'params' must be an object"
    request_id = message.get("id")
    if request_id is not None and (isinstance(request_id, bool) or not isinstance(request_id, str | int)):
        return "'id' must be a string or an integer"
    if unknown := sorted(message.keys() - {"jsonrpc", "method", "params", "id"}):
        return f"unknown members: {', '.join(unknown)[:200]}"
    return None
