"""The Git environment as an ASGI app: ``uvicorn git_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import sys
from functools import partial

from fastapi import FastAPI

from git_env.models import GitAction, GitObservation, GitState
from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitSettings
from git_env.server.shared_state import SharedState
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve


def make_app(settings: GitSettings | None = None) -> FastAPI:
    """Make the app; its sessions share one git host, its mirrors and prepared checkouts.

    Args:
        settings: By default read from the environment's variables.
    """
    shared = SharedState(settings)
    return create_app(
        partial(GitEnvironment, shared),
        GitAction,
        GitObservation,
        env_name="git_env",
        state_cls=GitState,
        shared=shared,
    )


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["git_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
