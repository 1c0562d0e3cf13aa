"""What travels between an agent and the Connect4 environment."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from pydantic import ConfigDict, Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces import hint_for
from openenv_gym.spaces.array_field import ArrayOf

ROWS, COLUMNS = 6, 7
BOARD_SPACE = Box(-1, 1, (ROWS, COLUMNS), np.int8)
MASK_SPACE = Box(0, 1, (COLUMNS,), np.int8)


class Connect4Action(Action):
    """A disc dropped into a column. Its gymnasium space is ``Discrete(7)``."""

    model_config = ConfigDict(json_schema_extra={"gymnasium_field": "column"})

    # No bound: a column that does not exist is a foul with a result, like one that is full.
    column: int = Field(
        description="Column from the left, 0 to 6",
        json_schema_extra={"gymnasium_space": hint_for(Discrete(COLUMNS))},
    )


class Connect4Observation(Observation):
    """The board after a move. Its gymnasium space has the fields that a network takes."""

    model_config = ConfigDict(
        json_schema_extra={
            "gymnasium_space": hint_for(Dict({"action_mask": MASK_SPACE, "canonical_board": BOARD_SPACE}))
        }
    )

    board: Annotated[np.ndarray, ArrayOf(BOARD_SPACE)] = Field(
        description="Rows from the top; 1 the first player's discs, -1 the second's, 0 empty"
    )
    legal_actions: list[int] = Field(description="Columns with room")
    canonical_board: Annotated[np.ndarray, ArrayOf(BOARD_SPACE)] = Field(
        description="The board as the player to move sees it: 1 own discs, -1 the other's"
    )
    action_mask: Annotated[np.ndarray, ArrayOf(MASK_SPACE)] = Field(
        description="1 for each column with room, else 0"
    )


class Connect4State(State):
    """The game so far."""

    board: list[list[int]] = Field(
        default_factory=lambda: [[0] * COLUMNS for _ in range(ROWS)], description="As in the observation"
    )
    next_player: int = Field(default=1, description="Who is to move: 1 or -1")
