"""The BrowserGym environment as an ASGI app: ``uvicorn browsergym_env.server.app:app``, or ``server``."""

from __future__ import annotations

import sys

from browsergym_env.models import BrowserGymAction, BrowserGymState
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from browsergym_env.server.served_observation import ServedObservation
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

app = create_app(
    BrowserGymEnvironment,
    BrowserGymAction,
    ServedObservation,
    env_name="browsergym_env",
    state_cls=BrowserGymState,
)


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["browsergym_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
