"""What an operator settles by environment variables: all that the spaces depend on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Literal

import numpy as np
from gymnasium.spaces import Box
from pydantic import BaseModel, ConfigDict, Field, create_model

from openenv_gym.spaces.array_field import ArraySpace, with_spaces
from snake_env.models import NUM_CHANNELS, SnakeAction, SnakeObservation

MIN_SIDE, MAX_SIDE = 5, 128
_PREFIX = "SNAKE_"
_MAX_CONTENT = 5  # of a cell of the grid


class SnakeSettings(BaseModel):
    """A server's settings.

    Attributes:
        height: Rows of the grid, its walls included; a reset may ask for fewer.
        width: Its columns.
        vision_range: How many cells around the head the observation shows; ``None`` shows the whole grid.
        observer: ``"snake"`` steers relative to where the snake goes, ``"human"`` by directions of the grid.
    """

    model_config = ConfigDict(frozen=True)

    height: int = Field(default=20, ge=MIN_SIDE, le=MAX_SIDE)
    width: int = Field(default=20, ge=MIN_SIDE, le=MAX_SIDE)
    vision_range: int | None = Field(default=None, ge=1, le=MAX_SIDE)
    observer: Literal["snake", "human"] = "snake"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> SnakeSettings:
        """Read ``SNAKE_HEIGHT``, ``SNAKE_WIDTH``, ``SNAKE_VISION_RANGE`` and ``SNAKE_OBSERVER``.

        Raises:
            ValueError: One of them makes no sense; the message names it.
        """
        names = {name: f"{_PREFIX}{name.upper()}" for name in cls.model_fields}
        return cls.model_validate({name: environ[var] for name, var in names.items() if environ.get(var)})

    @property
    def num_actions(self) -> int:
        """How many actions there are."""
        return 3 if self.observer == "snake" else 5

    @property
    def observation_space(self) -> Box:
        """The space of ``SnakeObservation.observation``."""
        side = None if self.vision_range is None else 2 * self.vision_range + 1
        return Box(0, 1, (side or self.height, side or self.width, NUM_CHANNELS), np.uint8)


DEFAULT_SETTINGS = SnakeSettings()


def action_model(settings: SnakeSettings) -> type[SnakeAction]:
    """Make the model of a server's actions."""
    description = SnakeAction.model_fields["action"].description
    action = Field(ge=0, lt=settings.num_actions, description=description)
    return create_model(
        "SnakeAction", __base__=SnakeAction, __doc__=SnakeAction.__doc__, action=(int, action)
    )


@functools.cache
def observation_model(settings: SnakeSettings) -> type[SnakeObservation]:
    """Make the model of a server's observations."""
    exact: dict[str, ArraySpace] = {
        "grid": Box(0, _MAX_CONTENT, (settings.height, settings.width), np.uint8),
        "observation": settings.observation_space,
    }
    return with_spaces(SnakeObservation, exact)
