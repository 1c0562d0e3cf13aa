"""Who waits for a connection's greeting, and is told when it comes or why it does not."""

from __future__ import annotations

import asyncio

from openenv_gym.errors import OpenEnvGymError, ServerUnreachableError


class GreetingWaiters:
    """Those who cannot begin before the server has greeted."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    async def wait(self, timeout: float | None) -> None:
        """Wait for the next `release`.

        Raises:
            ServerUnreachableError: None came in time.
            OpenEnvGymError: What `release` was given.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            raise ServerUnreachableError(
                f"no connection to the server came up within {timeout:g} s"
            ) from None
        finally:
            self._waiters.discard(waiter)

    def release(self, error: OpenEnvGymError | None = None) -> None:
        """Let all go on, or raise ``error`` to them."""
        for waiter in self._waiters:
            if not waiter.done():
                if error is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(error)
