"""The typed client of the OpenSpiel environment."""

from __future__ import annotations

from openenv_gym.client.env_client import EnvClient
from openspiel_env.models import OpenSpielAction, OpenSpielObservation, OpenSpielState


class OpenSpielEnv(EnvClient[OpenSpielAction, OpenSpielObservation, OpenSpielState]):
    """One session at an OpenSpiel environment's server."""

    server_app = "openspiel_env.server.app:app"
