"""The Chess environment: games against a random mover, against Stockfish, or of the agent against itself."""

from chess_env.client import ChessEnv
from chess_env.models import ChessAction, ChessObservation, ChessState

__all__ = ["ChessAction", "ChessEnv", "ChessObservation", "ChessState"]
