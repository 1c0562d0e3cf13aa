"""The pixel environment on our server: a frame is an array of an exact space."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from gymnasium.spaces import Box
from pixel_screen import SHAPE, Screen
from pydantic import WithJsonSchema

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app
from openenv_gym.spaces.hints import hint_for

Frame = Annotated[np.ndarray, WithJsonSchema({"gymnasium_space": hint_for(Box(0, 255, SHAPE, np.uint8))})]


class PixelAction(Action):
    """How far the ball moves."""

    speed: int


class PixelObservation(Observation):
    """What the screen shows."""

    frame: Frame


class PixelEnvironment(Environment[PixelAction, PixelObservation, State]):
    """Shows a screen."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"  # drawing takes a few microseconds

    def __init__(self) -> None:
        super().__init__()
        self._screen = Screen(0)

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> PixelObservation:
        """Start an episode."""
        self._screen = Screen(seed or 0)
        return PixelObservation(frame=self._screen.draw(0))

    def step(self, action: PixelAction, timeout_s: float | None = None, **kwargs: Any) -> PixelObservation:
        """Draw the next frame."""
        return PixelObservation(frame=self._screen.draw(action.speed), reward=1.0)

    @property
    def state(self) -> State:
        """Nothing but the defaults."""
        return State()


app = create_app(PixelEnvironment, PixelAction, PixelObservation, env_name="pixels")
