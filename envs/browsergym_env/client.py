"""The typed client of the BrowserGym environment."""

from __future__ import annotations

from browsergym_env.models import BrowserGymAction, BrowserGymObservation, BrowserGymState
from openenv_gym.client.env_client import EnvClient


class BrowserGymEnv(EnvClient[BrowserGymAction, BrowserGymObservation, BrowserGymState]):
    """One session at a BrowserGym server: one browser."""

    server_app = "browsergym_env.server.app:app"
