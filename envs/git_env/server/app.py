"""The Git environment as an ASGI app: ``uvicorn git_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from git_env.models import GitAction, GitObservation, GitState
from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitSettings
from git_env.server.shared_state import SharedState
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

logger = logging.getLogger(__name__)


def make_app(settings: GitSettings | None = None) -> FastAPI:
    """Make the app; its sessions share one git host, its mirrors and prepared checkouts.

    Args:
        settings: By default read from the environment's variables.
    """
    shared = SharedState(settings)

    def make_environment() -> GitEnvironment:
        return GitEnvironment(shared)

    app = create_app(make_environment, GitAction, GitObservation, env_name="git_env", state_cls=GitState)
    serve_sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        preparing = threading.Thread(target=_prepare, args=(shared,), name="git-prepare", daemon=True)
        preparing.start()
        try:
            async with serve_sessions(app) as state:
                yield state
        finally:
            await asyncio.to_thread(shared.close)
            await asyncio.to_thread(preparing.join)

    app.router.lifespan_context = lifespan
    return app


def _prepare(shared: SharedState) -> None:
    """Do ahead of the first reset what it would otherwise wait for; that reset reports what goes wrong."""
    try:
        shared.prepare_tasks()
    except OpenEnvGymError as error:
        logger.warning("the Git environment is not ready yet: %s", error)


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["git_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
