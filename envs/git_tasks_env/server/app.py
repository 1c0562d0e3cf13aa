"""The Git tasks as an ASGI app: ``uvicorn git_tasks_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import sys
from functools import partial

from fastapi import FastAPI

from git_env.server.settings import GitSettings
from git_tasks_env.models import GitTaskAction, GitTaskObservation, GitTaskState
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task_source import TaskSource
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve


def make_app(settings: GitSettings | None = None) -> FastAPI:
    """Make the app; its sessions share one git host, its mirrors and prepared checkouts.

    Args:
        settings: By default read from the environment's variables, which are those of the Git environment.
    """
    source = TaskSource(settings)
    return create_app(
        partial(GitTasksEnvironment, source),
        GitTaskAction,
        GitTaskObservation,
        env_name="git_tasks_env",
        state_cls=GitTaskState,
        shared=source,
    )


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["git_tasks_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
