"""Clients of environments with tools: list them, call them, and step by them."""

from __future__ import annotations

from typing import Any

from openenv_gym.client.client_models import ActT, ObsT, StateT
from openenv_gym.client.conversion import action_payload, build_model
from openenv_gym.client.env_client import EnvClient
from openenv_gym.client.sync_client import SyncEnvClient
from openenv_gym.errors import NotSupportedError, ProtocolError, ToolCallError
from openenv_gym.models import Observation, State, StepResult
from openenv_gym.tools import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    Tool,
    ToolErrorType,
)
from openenv_gym.wire.messages import McpReply, Op, Request

_METHOD_NOT_FOUND = -32601  # JSON-RPC 2.0, section 5.1


class MCPClientBase(EnvClient[ActT, ObsT, StateT]):
    """What an `EnvClient` gains by an environment with tools, whatever its own models are.

    Tools need no reset. `call_tool` goes by MCP to the very session that ``reset`` and ``step`` use, and
    gives the tool's result alone; ``step(CallToolAction(...))`` gives reward and end of the episode too.
    """

    _tools: list[Tool] | None = None

    async def list_tools(self, use_cache: bool = True) -> list[Tool]:
        """List the tools.

        Args:
            use_cache: Take the answer of an earlier call, if there is one.

        Raises:
            NotSupportedError: The environment offers none.
            OpenEnvGymError: What `EnvClient.step` raises.
        """
        if self._tools is None or not use_cache:
            self._tools = _read_tools(await self._link.acall(_LIST, self._message_timeout))
        return list(self._tools)

    async def call_tool(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool.

        Args:
            name: The tool's name.
            arguments: Its arguments.

        Returns:
            What it returned.

        Raises:
            ToolCallError: It gave no result: it failed, took too long, does not exist, or takes other
                arguments; ``error_type`` says which. The episode goes on.
            OpenEnvGymError: What `EnvClient.step` raises.
        """
        request = _call(name, arguments)
        return _read_result(name, await self._link.acall(request, self._message_timeout))

    async def get_tool(self, name: str) -> Tool | None:
        """Find a tool by its name; ``None`` if there is none."""
        return _find(await self.list_tools(), name)

    async def has_tool(self, name: str) -> bool:
        """Say whether there is a tool of that name."""
        return await self.get_tool(name) is not None

    def sync(self) -> SyncMCPClient[ActT, ObsT, StateT]:
        """The synchronous face of this same session."""
        return SyncMCPClient(self)

    def _step_payload(self, action: Any) -> dict[str, Any]:
        if isinstance(action, ListToolsAction | CallToolAction):
            return action_payload(action, None)
        return super()._step_payload(action)

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        model = _tool_observation(payload["observation"])
        if model is None:
            return super()._parse_result(payload)
        envelope = {key: payload[key] for key in ("done", "reward", "truncated")}
        observation = build_model(
            model, payload["observation"], {**envelope, "metadata": payload["metadata"] or {}}
        )
        return StepResult(observation, metadata=payload["metadata"], **envelope)


class MCPObservation(Observation, extra="allow"):
    """An observation of whatever fields the environment sends."""


class MCPToolClient(MCPClientBase[Any, Observation, State]):
    """One session at a tool environment, for ``async`` code; ``.sync()`` gives the face for all other code.

    ::

        async with MCPToolClient(base_url="http://localhost:8000") as client:
            tools = await client.list_tools()
            result = await client.call_tool("echo_message", message="Hello!")

    It works on OpenEnv's servers as on ours.
    """

    action_type = None
    observation_type = MCPObservation


class SyncMCPClient(SyncEnvClient[ActT, ObsT, StateT]):
    """A client of tools for code that is not ``async``; made by `MCPClientBase.sync`."""

    _client: MCPClientBase[ActT, ObsT, StateT]

    def list_tools(self, use_cache: bool = True) -> list[Tool]:
        """List the tools; see `MCPClientBase.list_tools`."""
        client = self._client
        if client._tools is None or not use_cache:
            client._tools = _read_tools(self._link.call(_LIST, client._message_timeout))
        return list(client._tools)

    def call_tool(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool; see `MCPClientBase.call_tool`."""
        request = _call(name, arguments)
        return _read_result(name, self._link.call(request, self._client._message_timeout))

    def get_tool(self, name: str) -> Tool | None:
        """Find a tool by its name; ``None`` if there is none."""
        return _find(self.list_tools(), name)

    def has_tool(self, name: str) -> bool:
        """Say whether there is a tool of that name."""
        return self.get_tool(name) is not None


def _request(method: str, params: dict[str, Any]) -> Request:
    # One call runs at a time, so that its id need not tell it from others.
    return Request(Op.MCP, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


_LIST = _request("tools/list", {})


def _call(name: str, arguments: dict[str, Any]) -> Request:
    return _request("tools/call", {"name": name, "arguments": arguments})


def _read_tools(reply: McpReply) -> list[Tool]:
    error = reply.data.get("error")
    if isinstance(error, dict):
        text = f"the environment lists no tools: {error.get('message')}"
        raise NotSupportedError(text) if error.get("code") == _METHOD_NOT_FOUND else ProtocolError(text)
    result = reply.data.get("result")
    listed = result.get("tools") if isinstance(result, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ProtocolError("the server's answer to tools/list holds no list of tools")
    return [
        Tool(
            name=str(entry.get("name")),
            description=entry.get("description") or "",
            input_schema=entry.get("inputSchema") or entry.get("input_schema") or {},
        )
        for entry in listed
    ]


def _read_result(name: str, reply: McpReply) -> Any:
    error = reply.data.get("error")
    if isinstance(error, dict):
        details = error.get("data")
        details = details if isinstance(details, dict) else {}
        kind = str(details.get("error_type", ToolErrorType.EXECUTION_ERROR.value))
        raise ToolCallError(f"Tool {name!r} failed: {error.get('message')}", kind, details=details)
    result = reply.data.get("result")
    return result["data"] if isinstance(result, dict) and "data" in result else result


def _find(tools: list[Tool], name: str) -> Tool | None:
    return next((tool for tool in tools if tool.name == name), None)


def _tool_observation(fields: dict[str, Any]) -> type[Observation] | None:
    """Tell by its fields what an observation is; ``None``: the environment's own."""
    if isinstance(fields.get("tools"), list):
        return ListToolsObservation
    return CallToolObservation if "tool_name" in fields else None
