"""Questions about the environment that belong to no session: its metadata, its tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.server.executors import Executor
from openenv_gym.server.settings import ServerSettings
from openenv_gym.wire.messages import ErrorReply, McpReply, Op, Request


class Enquiries:
    """Makes a short-lived instance of the environment for each question, one at a time.

    OpenEnv's task methods must work on a fresh instance, which is what they get. It takes no session's slot:
    a server whose sessions are all taken can still say what it is.

    Args:
        make_executor: Builds an executor around a new instance.
        settings: Timeouts.
    """

    def __init__(self, make_executor: Callable[[], Executor], settings: ServerSettings) -> None:
        self._make_executor = make_executor
        self._settings = settings
        self._turn = asyncio.Lock()
        self._metadata: dict[str, Any] | None = None
        self._tools: list[Any] | None = None

    def reopen(self) -> None:
        """Take questions on another event loop, for the app is served again."""
        self._turn = asyncio.Lock()

    async def ask(self, method: str, **arguments: Any) -> Any:
        """Call one of the environment's descriptive methods.

        Returns:
            What it returned, as JSON-able values.

        Raises:
            NotSupportedError: The environment has no such method.
            EnvironmentFailedError: It raised, or no instance could be made.
        """
        async with self._instance() as executor:
            return await executor.ask(method, self._settings.step_timeout, **arguments)

    async def metadata(self) -> dict[str, Any]:
        """Ask what the environment says of itself; once, for the answer does not change.

        Raises:
            EnvironmentFailedError: It raised, or no instance could be made.
        """
        if self._metadata is None:
            self._metadata = dict(await self.ask("get_metadata"))
        return self._metadata

    async def tools(self) -> list[Any]:
        """Ask which tools the environment has; once, as `metadata`.

        Returns:
            What MCP's ``tools/list`` gives.

        Raises:
            EnvironmentFailedError: It raised, or no instance could be made.
        """
        if self._tools is None:
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            async with self._instance() as executor:
                reply = await executor.handle(Request(Op.MCP, message), self._settings.step_timeout)
            if isinstance(reply, ErrorReply):
                raise EnvironmentFailedError(reply.message, reply.code, reply.details)
            assert isinstance(reply, McpReply)
            self._tools = list(reply.data.get("result", {}).get("tools", ()))
        return self._tools

    @asynccontextmanager
    async def _instance(self) -> AsyncIterator[Executor]:
        async with self._turn:
            executor = self._make_executor()
            try:
                await executor.open(self._settings.open_timeout)
                yield executor
            finally:
                await executor.close(self._settings.close_timeout)
