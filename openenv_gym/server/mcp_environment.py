"""Environments whose tools are a FastMCP server's, with the names and signatures of OpenEnv's."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from abc import abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

from openenv_gym.errors import ToolCallError
from openenv_gym.models import State
from openenv_gym.server.environment import Environment, Transform
from openenv_gym.server.fastmcp_session import FastMCPSession, tool_names, wait_on_environment_loop
from openenv_gym.server.tool_environment import failed_call
from openenv_gym.server.toolbox import Toolbox, describe_failure, lay_out, refuse_reserved
from openenv_gym.tools import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    ToolErrorType,
)

logger = logging.getLogger(__name__)

MCP_TOOL_CALL_TIMEOUT = 30.0
"""Seconds a tool may take where the caller of ``step`` gives none; a server always gives its own deadline."""

_MODES = ("production", "simulation")

F = TypeVar("F", bound=Callable[..., Any])


class MCPEnvironment(Environment[Any, Any, State]):
    """An environment with the tools of a FastMCP server, which its users call by ``step`` and over MCP::

        class Calculator(MCPEnvironment):
            def __init__(self):
                server = FastMCP("calculator")

                @server.tool
                def add(a: int, b: int) -> int:
                    return a + b

                super().__init__(server)

            def reset(self, seed=None, episode_id=None, **kwargs):
                return Observation()

            def _step_impl(self, action, timeout_s=None, **kwargs):
                raise InvalidActionError("an action is a call of a tool")

            @property
            def state(self):
                return State()

    Actions of other kinds go to `_step_impl`. What a tool raises, an unknown name, wrong arguments and an
    overrun deadline are told in the observation's ``error``; the episode goes on. One MCP session with the
    server lasts as long as the instance.

    Args:
        mcp_server: The FastMCP server.
        transform: See `Environment`.

    Attributes:
        mcp_server: As given; ``None`` once closed.
        mcp_client: The FastMCP client that calls the tools; ``None`` once closed.

    Raises:
        ValueError: A tool has a reserved name (`openenv_gym.tools.RESERVED_TOOL_NAMES`).
    """

    LENIENT: ClassVar[bool] = True
    OFFERS_TOOLS: ClassVar[bool] = True

    mcp_server: Any
    mcp_client: Any

    def __init__(self, mcp_server: Any, transform: Transform[Any] | None = None) -> None:
        super().__init__(transform=transform)
        refuse_reserved(tool_names(mcp_server))
        self.mcp_server = mcp_server
        self._session = FastMCPSession(mcp_server)
        self.mcp_client = self._session.client

    @functools.cached_property
    def _tools_by_mode(self) -> defaultdict[str, Toolbox]:
        # Not made by __init__: OpenEnv's documentation has authors register tools before they call it.
        return defaultdict(Toolbox)

    def tool(self, mode: str | None = None) -> Callable[[F], F]:
        """Make a decorator that registers a function as a tool.

        Args:
            mode: ``"production"`` or ``"simulation"``: only where the instance's ``_mode`` says so. ``None``:
                always, as a tool of the FastMCP server.

        Raises:
            ValueError: The mode is none of these; or, from the decorator, the name is reserved.
        """
        if mode is not None and mode not in _MODES:
            raise ValueError(f"mode={mode!r} is none of {', '.join(_MODES)} and None")

        def register(function: F) -> F:
            if mode is not None:
                self._tools_by_mode[mode].add(function)
                return function
            refuse_reserved([function.__name__])
            self.mcp_server.tool(function)
            return function

        return register

    def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """List the tools, call one, or pass the action to `_step_impl`."""
        if isinstance(action, ListToolsAction | CallToolAction):
            return wait_on_environment_loop(self._use_tools(action, timeout_s))
        return self._step_impl(action, timeout_s=timeout_s, **kwargs)

    async def step_async(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Do the same as `step`."""
        if isinstance(action, ListToolsAction | CallToolAction):
            return await self._use_tools(action, timeout_s)
        return await asyncio.to_thread(self._step_impl, action, timeout_s=timeout_s, **kwargs)

    @abstractmethod
    def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """Apply an action that is no tool's."""

    @asynccontextmanager
    async def mcp_session(self) -> AsyncIterator[Any]:
        """Hold the FastMCP client connected, and get it."""
        if self.mcp_client is None:
            raise RuntimeError(f"{type(self).__name__} is closed")
        async with self.mcp_client as client:
            yield client

    def close(self) -> None:
        """End the MCP session; whoever overrides it calls it too."""
        self._session.close()
        self.mcp_client = self.mcp_server = None

    async def _use_tools(
        self, action: ListToolsAction | CallToolAction, timeout_s: float | None
    ) -> ListToolsObservation | CallToolObservation:
        by_mode = self._tools_by_mode.get(str(getattr(self, "_mode", None)), Toolbox())
        if isinstance(action, ListToolsAction):
            hidden = {tool.name for toolbox in self._tools_by_mode.values() for tool in toolbox.tools}
            listed = [tool for tool in await self._session.list_tools() if tool.name not in hidden]
            return ListToolsObservation(tools=[*listed, *by_mode.tools])
        name, arguments = action.tool_name, action.arguments
        try:
            if name in by_mode:
                result: Any = await _await_call(by_mode.bind(name, arguments))
            else:
                timeout = MCP_TOOL_CALL_TIMEOUT if timeout_s is None else timeout_s
                result = await self._session.call(name, arguments, timeout)
        except ToolCallError as error:
            return failed_call(name, error.error_type, str(error))
        except Exception as error:
            logger.warning("%s: tool %r raised", type(self).__name__, name, exc_info=True)
            return failed_call(name, ToolErrorType.EXECUTION_ERROR, describe_failure(error))
        return CallToolObservation(tool_name=name, result=result)


async def _await_call(call: Callable[[], Any]) -> Any:
    """Run a bound function, off the loop unless it is a coroutine function."""
    function = call.func if isinstance(call, functools.partial) else call
    if inspect.iscoroutinefunction(function):
        return lay_out(await call())
    return lay_out(await asyncio.to_thread(call))
