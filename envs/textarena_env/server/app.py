"""The TextArena environment as an ASGI app: ``uvicorn textarena_env.server.app:app``, or ``server``."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

from fastapi import FastAPI

from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve
from textarena_env.models import TextArenaAction, TextArenaObservation, TextArenaState
from textarena_env.server.settings import TextArenaSettings
from textarena_env.server.textarena_environment import TextArenaEnvironment


def make_app(settings: TextArenaSettings | None = None) -> FastAPI:
    """Make the app.

    Args:
        settings: By default read from the environment's variables.
    """
    options = asdict(settings or TextArenaSettings.from_environ(os.environ))

    def make_environment() -> TextArenaEnvironment:
        return TextArenaEnvironment(**options)

    return create_app(
        make_environment,
        TextArenaAction,
        TextArenaObservation,
        env_name="textarena_env",
        state_cls=TextArenaState,
    )


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["textarena_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
