"""The pixel environment on OpenEnv's own server: a frame is lists of integers, as its Atari environment's.

Which of two forms is faster there is for the benchmark to show: nested as the frame is, or flat with its
shape beside it, which is what OpenEnv's own Atari environment sends.
"""

from __future__ import annotations

from typing import Any

from openenv.core.env_server import Action, Environment, Observation, State, create_app
from pixel_screen import Screen


class PixelAction(Action):
    """How far the ball moves."""

    speed: int


class NestedObservation(Observation):
    """What the screen shows, by rows, columns and colours."""

    frame: list[list[list[int]]]


class FlatObservation(Observation):
    """What the screen shows, as one list."""

    frame: list[int]
    frame_shape: list[int]


class NestedEnvironment(Environment[PixelAction, NestedObservation, State]):
    """Does what our pixel environment does."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._screen = Screen(0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        """Start an episode."""
        self._screen = Screen(seed or 0)
        return self._observe(0)

    def step(self, action: PixelAction, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        """Draw the next frame."""
        return self._observe(action.speed)

    @property
    def state(self) -> State:
        """Nothing but the defaults."""
        return State()

    def _observe(self, speed: int) -> Observation:
        return NestedObservation(frame=self._screen.draw(speed).tolist(), reward=1.0)


class FlatEnvironment(NestedEnvironment):
    """The same with flat frames."""

    def _observe(self, speed: int) -> Observation:
        frame = self._screen.draw(speed)
        return FlatObservation(frame=frame.reshape(-1).tolist(), frame_shape=list(frame.shape), reward=1.0)


nested = create_app(NestedEnvironment, PixelAction, NestedObservation, max_concurrent_envs=4096)
flat = create_app(FlatEnvironment, PixelAction, FlatObservation, max_concurrent_envs=4096)
