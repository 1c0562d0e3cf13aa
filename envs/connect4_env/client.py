"""The typed client of the Connect4 environment."""

from __future__ import annotations

from connect4_env.models import Connect4Action, Connect4Observation, Connect4State
from openenv_gym.client.env_client import EnvClient


class Connect4Env(EnvClient[Connect4Action, Connect4Observation, Connect4State]):
    """One session at a Connect4 server."""

    server_app = "connect4_env.server.app:app"
