"""The Atari environment as an ASGI app: ``uvicorn atari_env.server.app:app``, or the command ``server``."""

from __future__ import annotations

import os
import sys
from functools import partial

from atari_env.models import AtariState
from atari_env.server.atari_environment import AtariEnvironment
from atari_env.server.settings import AtariSettings, Interface
from openenv_gym.server import create_app
from openenv_gym.server.serve import main as serve

interface = Interface(AtariSettings.from_environ(os.environ))

app = create_app(
    partial(AtariEnvironment, interface),
    interface.action_cls,
    interface.observation_cls,
    env_name="atari_env",
    state_cls=AtariState,
)


def main() -> int:
    """Serve until told to stop; takes ``--host``, ``--port`` and ``--log-level``."""
    return serve(["atari_env.server.app:app", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
