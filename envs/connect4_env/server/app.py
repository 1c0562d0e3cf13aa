"""The Connect4 environment as an ASGI app: ``uvicorn connect4_env.server.app:app``, or as ``server``."""

from __future__ import annotations

import sys

from connect4_env.models import Connect4Action, Connect4Observation, Connect4State
from connect4_env.server.connect4_environment import Connect4Environment
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

app = create_app(
    Connect4Environment,
    Connect4Action,
    Connect4Observation,
    env_name="connect4_env",
    state_cls=Connect4State,
)


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["connect4_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
