"""What MCP's own clients expect where OpenEnv's differ: the handshake, and how results and failures look.

OpenEnv's clients read snake-cased fields, ``data`` beside them, and JSON-RPC errors for tools that fail.
MCP's read camel-cased fields, and have an agent told in the result what failed. By
https://modelcontextprotocol.io/specification/2025-11-25 (lifecycle, tools).
"""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from openenv_gym.server import json_rpc
from openenv_gym.tools import ToolErrorType

_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")  # newest first

# An agent that knows no such tool cannot mend it; everything else it is told, and may.
_PROTOCOL_ERRORS = {None, ToolErrorType.TOOL_NOT_FOUND.value}


def is_notification(message: Any) -> bool:
    """Whether a message wants no answer."""
    return isinstance(message, dict) and str(message.get("method")).startswith("notifications/")


def initialized(params: dict[str, Any], name: str) -> dict[str, Any]:
    """Make the result of ``initialize``.

    Args:
        params: What the client sent.
        name: The environment's.
    """
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in _VERSIONS else _VERSIONS[0],
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": name, "version": importlib.metadata.version("openenv-gym")},
    }


def standard_response(method: str, response: dict[str, Any]) -> dict[str, Any]:
    """Lay out a response as MCP has it.

    Args:
        method: What was asked.
        response: As OpenEnv's clients get it.
    """
    request_id, failure = response.get("id"), response.get("error")
    if isinstance(failure, dict):
        details = failure.get("data")
        kind = details.get("error_type") if isinstance(details, dict) else None
        if kind in _PROTOCOL_ERRORS:
            return response
        content = [{"type": "text", "text": str(failure.get("message"))}]
        return json_rpc.result(request_id, {"content": content, "isError": True})
    if method != "tools/call":
        return response
    return json_rpc.result(request_id, _call_result(response.get("result")))


def _call_result(result: Any) -> dict[str, Any]:
    if not isinstance(result, dict) or not isinstance(result.get("content"), list):
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)
        return {"content": [{"type": "text", "text": text}], "isError": False}
    laid_out: dict[str, Any] = {
        "content": [_camel_cased(block) for block in result["content"]],
        "isError": bool(result.get("is_error", False)),
    }
    if isinstance(structured := result.get("structured_content"), dict):
        laid_out["structuredContent"] = structured
    return laid_out


def _camel_cased(value: Any) -> Any:
    """Copy a content block with the names that travel in MCP, without what is not set."""
    if not isinstance(value, dict):
        return value
    return {_travelling(key): _camel_cased(part) for key, part in value.items() if part is not None}


def _travelling(name: str) -> str:
    first, *others = name.split("_")
    return "_meta" if name == "meta" else first + "".join(other.title() for other in others)
