"""The Chess environment: games against a random mover, against Stockfish, or of the agent against itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chess_env.models import ChessAction, ChessObservation, ChessState
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from chess_env.client import ChessEnv

__all__ = ["ChessAction", "ChessEnv", "ChessObservation", "ChessState"]

__getattr__, __dir__ = lazy_names(__name__, {"ChessEnv": "chess_env.client"})
