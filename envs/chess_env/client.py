"""The typed client of the Chess environment."""

from __future__ import annotations

from chess_env.models import ChessAction, ChessObservation, ChessState
from openenv_gym.client.env_client import EnvClient


class ChessEnv(EnvClient[ChessAction, ChessObservation, ChessState]):
    """One session at a Chess server."""

    server_app = "chess_env.server.app:app"
