"""The Snake environment as an ASGI app: ``uvicorn snake_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import os
import sys
from functools import partial

from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve
from snake_env.server.settings import SnakeSettings, action_model, observation_model
from snake_env.server.snake_environment import SnakeEnvironment

settings = SnakeSettings.from_environ(os.environ)

app = create_app(
    partial(SnakeEnvironment, settings),
    action_model(settings),
    observation_model(settings),
    env_name="snake_env",
)


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["snake_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
