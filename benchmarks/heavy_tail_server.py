"""An environment whose steps take log-normal times, on our server."""

from __future__ import annotations

import asyncio
import time

from heavy_tail import StepTimes

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app


class Work(Action):
    """Do the next piece of work; how long it takes is the environment's secret."""


class Result(Observation):
    """What the step took, by design and by the environment's own clock, in seconds."""

    planned: float = 0.0
    taken: float = 0.0


class HeavyTailEnvironment(Environment[Work, Result, State]):
    """Waits."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._times = StepTimes(0)

    async def reset(  # type: ignore[override]
        self, seed: int | None = None, episode_id: str | None = None
    ) -> Result:
        """Start an episode."""
        self._times = StepTimes(seed or 0)
        return Result()

    async def step(  # type: ignore[override]
        self, action: Work, timeout_s: float | None = None
    ) -> Result:
        """Wait for a while."""
        planned, began = self._times.draw(), time.perf_counter()
        await asyncio.sleep(planned)
        return Result(planned=planned, taken=time.perf_counter() - began)

    @property
    def state(self) -> State:
        """Nothing but the defaults."""
        return State()


app = create_app(HeavyTailEnvironment, Work, Result, env_name="heavy_tail")
