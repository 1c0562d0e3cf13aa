"""An environment that shows a picture, and draws every one into the same buffer."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box
from pydantic import WithJsonSchema

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app
from openenv_gym.spaces.hints import hint_for

SPACES = {
    "pixels": Box(0, 255, (64, 64, 3), np.uint8),  # larger than what is copied out of a frame anyway
    "depth": Box(0, 1000, (64, 64), np.float32),
}

_BUFFERS = {name: np.zeros(space.shape, space.dtype) for name, space in SPACES.items()}  # of all sessions


class Paint(Action):
    value: int


class Picture(Observation):
    name: str
    pixels: Annotated[np.ndarray, WithJsonSchema({"gymnasium_space": hint_for(SPACES["pixels"])})]
    depth: Annotated[np.ndarray, WithJsonSchema({"gymnasium_space": hint_for(SPACES["depth"])})]


class Painter(Environment[Paint, Picture, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Picture:  # type: ignore[override]
        return self._paint(0)

    def step(self, action: Paint, timeout_s: float | None = None) -> Picture:  # type: ignore[override]
        return self._paint(action.value)

    @property
    def state(self) -> State:
        return State()

    def _paint(self, value: int) -> Picture:
        for buffer in _BUFFERS.values():
            buffer.fill(value)
        return Picture(name="x" * (value % 7), **_BUFFERS)  # so that arrays begin anywhere in a frame


app = create_app(Painter, Paint, Picture)
