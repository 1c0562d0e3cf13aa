"""The Coding environment as an ASGI app: ``uvicorn coding_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import sys
from functools import partial

from fastapi import FastAPI

from coding_env.models import CodeAction, CodeObservation, CodeState
from coding_env.server.coding_environment import CodingEnvironment
from coding_env.server.settings import CodingSettings
from coding_env.server.shared_state import SharedState
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve


def make_app(settings: CodingSettings | None = None) -> FastAPI:
    """Make the app; its sessions share prepared interpreters and a judge.

    Args:
        settings: By default read from the environment's variables.
    """
    shared = SharedState(settings)
    return create_app(
        partial(CodingEnvironment, shared),
        CodeAction,
        CodeObservation,
        env_name="coding_env",
        state_cls=CodeState,
        shared=shared,
    )


app = make_app()


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["coding_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
