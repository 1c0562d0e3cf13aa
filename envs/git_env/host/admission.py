"""Bounds how many git processes run at once, and how long a request waits for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from git_env.host.errors import BusyError


class Admission:
    """A number of places.

    Args:
        places: How many there are.
        queue_seconds: How long to wait for one.
    """

    def __init__(self, places: int, queue_seconds: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._queue_seconds = queue_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place for the length of the block.

        Raises:
            BusyError: None became free in time.
        """
        try:
            async with asyncio.timeout(self._queue_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError("The host is busy; try again later.") from None
        try:
            yield
        finally:
            self._free.release()
