"""An environment whose step computes in Python for about 2 ms, inline: one process of it uses one core."""

from __future__ import annotations

from typing import Any

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app

ROUNDS = 40_000  # of a loop; about 2 ms


class Go(Action):
    """Nothing to choose."""


class Sum(Observation):
    """What was computed."""

    total: int = 0


class Busy(Environment[Go, Sum, State]):
    """Adds numbers up."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Sum:
        """Start an episode."""
        self._state = State(episode_id=episode_id)
        return Sum()

    def step(self, action: Go, timeout_s: float | None = None, **kwargs: Any) -> Sum:
        """Compute."""
        self._state.step_count += 1
        total = 0
        for number in range(ROUNDS):
            total += number
        return Sum(total=total)

    @property
    def state(self) -> State:
        """The episode's bookkeeping."""
        return self._state


app = create_app(Busy, Go, Sum)
