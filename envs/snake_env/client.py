"""The typed client of the Snake environment."""

from __future__ import annotations

from openenv_gym.client.env_client import EnvClient
from openenv_gym.models import State
from snake_env.models import SnakeAction, SnakeObservation


class SnakeEnv(EnvClient[SnakeAction, SnakeObservation, State]):
    """One session at a Snake server."""

    server_app = "snake_env.server.app:app"
