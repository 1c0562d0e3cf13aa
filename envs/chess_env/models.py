"""What travels between an agent and the Chess environment."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from pydantic import ConfigDict, Field, model_validator

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces import hint_for
from openenv_gym.spaces.array_field import ArrayOf

NUM_MOVES = 64 * 73  # AlphaZero's: from each square 56 queen's moves, 8 knight's, 9 promotions to less
NUM_PLANES = 19
MASK_SPACE = Box(0, 1, (NUM_MOVES,), np.int8)
PLANES_SPACE = Box(0.0, 1.0, (8, 8, NUM_PLANES), np.float32)
STARTING_FEN = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"


class ChessAction(Action):
    """A move, as text or as a number. Its gymnasium space is ``Discrete(4672)``, the numbers."""

    model_config = ConfigDict(json_schema_extra={"gymnasium_field": "move_index"})

    move: str = Field(default="", max_length=256, description="In UCI's notation: e2e4, e1g1, e7e8q")
    move_index: int | None = Field(
        default=None,
        ge=0,
        lt=NUM_MOVES,
        description="Instead of `move`: its number, as `chess_env.move_table` gives them",
        json_schema_extra={"gymnasium_space": hint_for(Discrete(NUM_MOVES))},
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> ChessAction:
        if bool(self.move) == (self.move_index is not None):
            raise ValueError("give either move or move_index")
        return self


class ChessObservation(Observation):
    """The position after a move. Its gymnasium space has the fields that a network takes."""

    model_config = ConfigDict(
        json_schema_extra={
            "gymnasium_space": hint_for(Dict({"action_mask": MASK_SPACE, "planes": PLANES_SPACE}))
        }
    )

    fen: str = Field(default="", description="The position in Forsyth-Edwards notation")
    legal_moves: list[str] = Field(default_factory=list, description="In UCI's notation")
    is_check: bool = Field(default=False, description="Whether the player to move is in check")
    result: Literal["1-0", "0-1", "1/2-1/2"] | None = Field(
        default=None, description="How the game ended; null while it goes on"
    )
    planes: Annotated[np.ndarray, ArrayOf(PLANES_SPACE)] = Field(
        description="The board as the player to move sees it, its own first rank first: its pieces (pawn, "
        "knight, bishop, rook, queen, king), the other's, castling rights (own king's and queen's side, the "
        "other's), the square to capture en passant, whether the position is a repetition, and how much of "
        "the 50-move rule's time has passed"
    )
    action_mask: Annotated[np.ndarray, ArrayOf(MASK_SPACE)] = Field(
        description="1 for the number of each legal move, else 0"
    )


class ChessState(State):
    """The game so far."""

    fen: str = Field(default=STARTING_FEN, description="The position in Forsyth-Edwards notation")
    current_player: Literal["white", "black"] = Field(default="white", description="Who is to move")
    move_history: list[str] = Field(
        default_factory=list, description="The moves of both sides, in UCI's notation"
    )
