"""The Echo environment as an ASGI app: ``uvicorn echo_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import sys

from echo_env.models import EchoAction, EchoObservation
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

app = create_app(EchoEnvironment, EchoAction, EchoObservation, env_name="echo_env")


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["echo_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
