"""Who plays the other side, as data of the game: a seeded random mover, or Stockfish."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import chess

from chess_env.server.stockfish import Stockfish


@dataclass(frozen=True)
class Opponent:
    """How the other side plays.

    Attributes:
        kind: ``"random"`` plays any legal move; the rest is about ``"stockfish"``.
        depth: How many half-moves it looks ahead.
        seconds: At most to think a move.
        noise: The share of its moves that are random, 0 to 1.
    """

    kind: Literal["random", "stockfish"]
    depth: int
    seconds: float
    noise: float

    def choose(self, board: chess.Board, rng: random.Random, engine: Stockfish) -> chess.Move:
        """Choose a move in a position that has one; what is drawn by lot comes from the generator."""
        if self.kind == "random" or rng.random() < self.noise:
            return rng.choice(list(board.legal_moves))
        return engine.choose(board, self.depth, self.seconds)
