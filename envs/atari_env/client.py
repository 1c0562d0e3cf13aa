"""The typed client of the Atari environment."""

from __future__ import annotations

from atari_env.models import AtariAction, AtariObservation, AtariState
from openenv_gym.client.env_client import EnvClient


class AtariEnv(EnvClient[AtariAction, AtariObservation, AtariState]):
    """One session at an Atari server."""

    server_app = "atari_env.server.app:app"
