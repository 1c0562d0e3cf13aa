"""The typed client of the Coding environment."""

from __future__ import annotations

from coding_env.models import CodeAction, CodeObservation, CodeState
from openenv_gym.client.env_client import EnvClient


class CodingEnv(EnvClient[CodeAction, CodeObservation, CodeState]):
    """One session at a Coding server."""

    server_app = "coding_env.server.app:app"
