"""The Coding environment as an ASGI app: ``uvicorn coding_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from coding_env.models import CodeAction, CodeObservation, CodeState
from coding_env.server.coding_environment import CodingEnvironment
from coding_env.server.settings import CodingSettings
from coding_env.server.shared_state import SharedState
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

logger = logging.getLogger(__name__)


def make_app(settings: CodingSettings | None = None) -> FastAPI:
    """Make the app; its sessions share prepared interpreters and a judge.

    Args:
        settings: By default read from the environment's variables.
    """
    shared = SharedState(settings)

    def make_environment() -> CodingEnvironment:
        return CodingEnvironment(shared)

    app = create_app(
        make_environment, CodeAction, CodeObservation, env_name="coding_env", state_cls=CodeState
    )
    serve_sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        preparing = threading.Thread(target=_prepare, args=(shared,), name="coding-prepare", daemon=True)
        preparing.start()
        try:
            async with serve_sessions(app) as state:
                yield state
        finally:
            await asyncio.to_thread(preparing.join)
            await asyncio.to_thread(shared.close)

    app.router.lifespan_context = lifespan
    return app


def _prepare(shared: SharedState) -> None:
    """Do ahead of the first reset what it would otherwise wait for; that reset reports what goes wrong."""
    try:
        shared.prepare()
    except OpenEnvGymError as error:
        logger.warning("the Coding environment is not ready: %s", error)


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["coding_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
