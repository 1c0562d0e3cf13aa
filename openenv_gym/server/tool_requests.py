"""MCP's ``tools/list`` and ``tools/call`` as the tool actions of ``step``, and its observations as responses.

So an environment has one way in: it sees (and may count, or refuse) every call of a tool, whether it came by
``step`` or over MCP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from openenv_gym.server import json_rpc
from openenv_gym.tools import ToolErrorType
from openenv_gym.wire.messages import McpReply, Outcome

if TYPE_CHECKING:
    from openenv_gym.server.definition import EnvironmentDefinition

_CODES = {
    ToolErrorType.TOOL_NOT_FOUND.value: json_rpc.INVALID_PARAMS,
    ToolErrorType.INVALID_ARGS.value: json_rpc.INVALID_PARAMS,
}


def action_of(message: dict[str, Any], definition: EnvironmentDefinition) -> BaseModel | McpReply:
    """Make the action that a JSON-RPC request asks for.

    Args:
        message: The request.
        definition: The environment it is for.

    Returns:
        The action, or the response that the request has earned already.
    """
    request_id, method = message.get("id"), str(message.get("method"))
    actions, params = definition.tool_actions, message.get("params") or {}
    if not actions:
        text = f"{definition.name} offers no MCP tools"
        return McpReply(json_rpc.error(request_id, json_rpc.METHOD_NOT_FOUND, text))
    try:
        if method == "tools/list":
            return actions["list_tools"]()
        if method == "tools/call":
            fields = {"tool_name": params.get("name"), "arguments": params.get("arguments") or {}}
            return actions["call_tool"].model_validate(fields)
    except ValidationError:
        text = "Invalid params: 'name' is the tool's name, 'arguments' an object"
        return McpReply(json_rpc.error(request_id, json_rpc.INVALID_PARAMS, text))
    text = f"Method not found: {method[:200]}"
    return McpReply(json_rpc.error(request_id, json_rpc.METHOD_NOT_FOUND, text))


def reply_of(message: dict[str, Any], outcome: Outcome) -> McpReply:
    """Make the response to a request out of what the step that it became gave.

    Args:
        message: The request.
        outcome: What the environment answered.
    """
    request_id, observation = message.get("id"), outcome.observation
    if message["method"] == "tools/list":
        tools = [_listed(tool) for tool in observation.get("tools", ())]
        return McpReply(json_rpc.result(request_id, {"tools": tools}))
    failure = observation.get("error")
    if isinstance(failure, dict):
        kind = str(failure.get("error_type"))
        code = _CODES.get(kind, json_rpc.INTERNAL_ERROR)
        text = str(failure.get("message"))
        return McpReply(json_rpc.error(request_id, code, text, {"error_type": kind}))
    return McpReply(json_rpc.result(request_id, observation.get("result")))


def _listed(tool: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": tool.get("description") or "",
        "inputSchema": tool.get("input_schema") or {"type": "object"},
    }
