"""What travels between an agent and the Snake environment."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field

from openenv_gym.models import Action, Observation
from openenv_gym.spaces.array_field import ArrayOf

NUM_CHANNELS = 8


class SnakeAction(Action):
    """Where to go. Its gymnasium space is ``Discrete(3)`` if moves are relative, else ``Discrete(5)``."""

    model_config = ConfigDict(json_schema_extra={"gymnasium_field": "action"})

    action: int = Field(
        ge=0,
        le=4,
        description="Relative: 0 straight on, 1 turn left, 2 turn right. "
        "Global (SNAKE_OBSERVER=human): 0 straight on, 1 left, 2 right, 3 down, 4 up",
    )


class SnakeObservation(Observation):
    """The board after a move. Its gymnasium space is that of ``observation``."""

    model_config = ConfigDict(json_schema_extra={"gymnasium_field": "observation"})

    grid: Annotated[np.ndarray, ArrayOf(np.uint8)] = Field(
        description="Rows from the top: 0 empty, 1 wall, 2 fruit, 3 head, 4 body, 5 tail"
    )
    observation: Annotated[np.ndarray, ArrayOf(np.uint8)] = Field(
        description="0 or 1 in 8 channels, the last axis: wall, fruit, three for other snakes (always 0), "
        "own head, own body, own tail; of the whole grid, or of what is near the head"
    )
    episode_score: float = Field(default=0.0, description="Sum of the episode's rewards")
    episode_steps: int = Field(default=0, ge=0, description="Moves in this episode")
    episode_fruits: int = Field(default=0, ge=0, description="Fruits eaten in this episode")
    episode_kills: int = Field(default=0, ge=0, description="Other snakes killed: always 0")
    alive: bool = Field(default=True, description="Whether the snake lives")
