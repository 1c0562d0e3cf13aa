"""The typed client of the TextArena environment."""

from __future__ import annotations

from openenv_gym.client.env_client import EnvClient
from textarena_env.models import TextArenaAction, TextArenaObservation, TextArenaState


class TextArenaEnv(EnvClient[TextArenaAction, TextArenaObservation, TextArenaState]):
    """One session at a TextArena server."""

    server_app = "textarena_env.server.app:app"
