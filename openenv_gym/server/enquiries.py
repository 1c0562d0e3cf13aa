"""Questions about the environment that belong to no session: its metadata, its tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from openenv_gym.server.executors import Executor
from openenv_gym.server.settings import ServerSettings


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

    async def ask(self, method: str, **arguments: Any) -> Any:
        """Call one of the environment's descriptive methods.

        Returns:
            What it returned, as JSON-able values.

        Raises:
            NotSupportedError: The environment has no such method.
            EnvironmentFailedError: It raised, or no instance could be made.
        """
        async with self._turn:
            executor = self._make_executor()
            try:
                await executor.open(self._settings.open_timeout)
                return await executor.ask(method, self._settings.step_timeout, **arguments)
            finally:
                await executor.close(self._settings.close_timeout)

    async def metadata(self) -> dict[str, Any]:
        """Ask what the environment says of itself; once, for the answer does not change.

        Raises:
            EnvironmentFailedError: It raised, or no instance could be made.
        """
        if self._metadata is None:
            self._metadata = dict(await self.ask("get_metadata"))
        return self._metadata
