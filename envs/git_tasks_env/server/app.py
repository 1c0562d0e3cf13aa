"""The Git tasks as an ASGI app: ``uvicorn git_tasks_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from git_env.server.gitea import GitHostError
from git_env.server.policy.refusal import Refusal
from git_env.server.settings import GitSettings
from git_env.server.trusted_git import TrustedGitError
from git_tasks_env.models import GitTaskAction, GitTaskObservation, GitTaskState
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task_source import TaskSource
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

logger = logging.getLogger(__name__)


def make_app(settings: GitSettings | None = None) -> FastAPI:
    """Make the app; its sessions share one git host, its mirrors and prepared checkouts.

    Args:
        settings: By default read from the environment's variables, which are those of the Git environment.
    """
    source = TaskSource(settings)

    def make_environment() -> GitTasksEnvironment:
        return GitTasksEnvironment(source)

    app = create_app(
        make_environment, GitTaskAction, GitTaskObservation, env_name="git_tasks_env", state_cls=GitTaskState
    )
    serve_sessions = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        preparing = threading.Thread(target=_prepare, args=(source,), name="git-prepare", daemon=True)
        preparing.start()
        try:
            async with serve_sessions(app) as state:
                yield state
        finally:
            await asyncio.to_thread(source.close)
            await asyncio.to_thread(preparing.join)

    app.router.lifespan_context = lifespan
    return app


def _prepare(source: TaskSource) -> None:
    """Do ahead of the first reset what it would otherwise wait for; that reset reports what goes wrong."""
    try:
        source.prepare()
    except (OpenEnvGymError, Refusal, GitHostError, TrustedGitError) as error:
        logger.warning("the Git tasks are not ready yet: %s", error)


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["git_tasks_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
