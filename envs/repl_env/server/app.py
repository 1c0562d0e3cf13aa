"""The REPL environment as an ASGI app: ``uvicorn repl_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import sys

from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve
from repl_env.models import REPLAction, REPLObservation, REPLState
from repl_env.server.kernel_pool import shared_pool
from repl_env.server.repl_environment import REPLEnvironment
from repl_env.server.settings import REPLSettings

app = create_app(
    REPLEnvironment,
    REPLAction,
    REPLObservation,
    env_name="repl_env",
    state_cls=REPLState,
    shared=shared_pool(REPLSettings.from_environ()),
)


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["repl_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
