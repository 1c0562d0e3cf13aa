"""SharedState: what the sessions of one server share, prepared in the background, closed with the server."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from openenv_gym.errors import OpenEnvGymError

logger = logging.getLogger(__name__)


class SharedState(Protocol):
    """Anything that the environments of one server are made with: a pool, a cache, a connection.

    ``create_app(partial(MyEnvironment, shared), ..., shared=shared)`` ties it to the server's life.
    """

    def open(self) -> None:
        """Begin, before the first session; after `close` again, where the app is served again.

        Runs on the server's event loop: what takes long belongs into `prepare`.
        """

    def prepare(self) -> None:
        """Do ahead of the first reset what that would otherwise wait for.

        Runs on a thread of its own, beside the first sessions. What it raises is logged, not fatal: the reset
        that needs what is missing tries again, and tells its client.
        """

    def close(self) -> None:
        """End everything, after the last session. Also while `prepare` runs, which must then return soon."""


@asynccontextmanager
async def served(shared: SharedState, name: str) -> AsyncIterator[None]:
    """Open what is shared, prepare it, and close it at the end; no thread outlives this.

    Args:
        shared: What is shared.
        name: The environment's, for the log.
    """
    shared.open()
    ending = threading.Event()

    def prepare() -> None:
        try:
            shared.prepare()
        except OpenEnvGymError as error:
            if not ending.is_set():
                logger.warning("%s is not ready yet: %s", name, error)
        except Exception:
            logger.exception("%s: prepare() failed", name)

    preparing = threading.Thread(target=prepare, name=f"{name}-prepare", daemon=True)
    preparing.start()
    try:
        yield
    finally:
        ending.set()
        try:
            await asyncio.to_thread(shared.close)
        finally:
            await asyncio.to_thread(preparing.join)
