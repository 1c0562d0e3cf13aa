"""FastMCP behind an environment: one client session with the author's server, as long as it lives."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from openenv_gym.errors import MissingExtraError, ToolCallError, UsageError
from openenv_gym.server.executors.loop_thread import environment_loop
from openenv_gym.tools import Tool, ToolErrorType

try:
    import fastmcp
    from fastmcp.exceptions import ToolError as FastMCPToolError
except ImportError as error:
    raise MissingExtraError("MCPEnvironment", "mcp") from error

T = TypeVar("T")

# FastMCP 4 would choose a protocol that knows no sessions, and forget what tools keep in theirs.
_WITH_SESSION = {"mode": "legacy"} if "mode" in inspect.signature(fastmcp.Client.__init__).parameters else {}

# How FastMCP words what went wrong before a tool's own code ran.
_UNKNOWN_TOOL = re.compile(r"Unknown tool\b")
_INVALID_ARGUMENTS = re.compile(r"\d+ validation errors? for |Input validation error\b")


class FastMCPSession:
    """Calls the tools of a FastMCP server of this process.

    FastMCP's sessions, and what tools keep in them (``ctx.set_state``), belong to one event loop: here the
    one that environments share, wherever the caller runs. Synchronous tools run on FastMCP's threads.

    Args:
        server: A ``FastMCP``, or whatever else ``fastmcp.Client`` connects to.

    Attributes:
        client: The FastMCP client; connected at the first use.
    """

    def __init__(self, server: Any) -> None:
        self.client: Any = fastmcp.Client(server, **_WITH_SESSION)
        self._connected = False
        self._connecting = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None  # held, for the loop does not

    async def list_tools(self) -> list[Tool]:
        """List the server's tools."""
        return await on_environment_loop(self._list_tools())

    async def call(self, name: str, arguments: dict[str, Any], timeout: float) -> Any:
        """Call a tool.

        Args:
            name: The tool's.
            arguments: By name.
            timeout: Seconds it may take. A synchronous tool runs on after it, to no effect.

        Returns:
            FastMCP's ``CallToolResult``.

        Raises:
            ToolCallError: It gave no result; ``error_type`` says why.
        """
        return await on_environment_loop(self._call(name, arguments, timeout))

    def close(self) -> None:
        """End the session, in the background where the environments' loop itself asks for it."""
        if not self._connected:
            return
        self._connected = False
        loop = environment_loop()
        if _running_loop() is loop:
            self._closing = loop.create_task(self.client.close())
        else:
            asyncio.run_coroutine_threadsafe(self.client.close(), loop).result()

    async def _list_tools(self) -> list[Tool]:
        await self._connect()
        listed = await self.client.list_tools()
        return [
            Tool(name=tool.name, description=tool.description or "", input_schema=_input_schema(tool))
            for tool in listed
        ]

    async def _call(self, name: str, arguments: dict[str, Any], timeout: float) -> Any:
        await self._connect()
        try:
            async with asyncio.timeout(timeout):
                return await self.client.call_tool(name, arguments)
        except TimeoutError:
            message = f"Tool {name!r} timed out after {timeout:g} seconds"
            raise ToolCallError(message, ToolErrorType.TIMEOUT.value) from None
        except FastMCPToolError as error:
            raise ToolCallError(str(error), _error_type(str(error)).value) from error

    async def _connect(self) -> None:
        async with self._connecting:
            if not self._connected:
                await self.client.__aenter__()
                self._connected = True


async def on_environment_loop(work: Coroutine[Any, Any, T]) -> T:
    """Await something on the loop that environments share, from whichever loop."""
    loop = environment_loop()
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def wait_on_environment_loop(work: Coroutine[Any, Any, T]) -> T:
    """Block until something is done on the loop that environments share.

    Raises:
        UsageError: The caller runs on that loop, which it would block for ever.
    """
    loop = environment_loop()
    if _running_loop() is loop:
        work.close()
        raise UsageError("step() was called on the environments' event loop: await step_async() there")
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def tool_names(server: Any) -> list[str]:
    """List the names of a ``FastMCP``'s tools, from synchronous code wherever it runs."""
    names: list[str] = []

    def ask() -> None:
        names.extend(listed.name for listed in asyncio.run(server.list_tools()))

    thread = threading.Thread(target=ask, name="fastmcp-tools")  # the caller's own loop may be running
    thread.start()
    thread.join()
    return names


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _input_schema(tool: Any) -> dict[str, Any]:
    """Read a listed tool's schema: a camel-cased attribute up to MCP's SDK 1, a snake-cased one from 2 on."""
    schema: dict[str, Any] = tool.input_schema if hasattr(tool, "input_schema") else tool.inputSchema
    return schema


def _error_type(message: str) -> ToolErrorType:
    if _UNKNOWN_TOOL.match(message):
        return ToolErrorType.TOOL_NOT_FOUND
    if _INVALID_ARGUMENTS.match(message):
        return ToolErrorType.INVALID_ARGS
    return ToolErrorType.EXECUTION_ERROR
