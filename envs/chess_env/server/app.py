"""The Chess environment as an ASGI app: ``uvicorn chess_env.server.app:app``, or as ``server``."""

from __future__ import annotations

import sys

from chess_env.models import ChessAction, ChessObservation, ChessState
from chess_env.server.chess_environment import ChessEnvironment
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

app = create_app(
    ChessEnvironment,
    ChessAction,
    ChessObservation,
    env_name="chess_env",
    state_cls=ChessState,
)


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["chess_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
