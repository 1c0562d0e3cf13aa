"""The environment of `heavy_tail_server` written for OpenEnv, on OpenEnv's own server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from heavy_tail import StepTimes
from openenv.core.env_server import Action, Environment, Observation, State, create_app


class Work(Action):
    """Do the next piece of work."""


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

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Result:
        """Start an episode."""
        self._times = StepTimes(seed or 0)
        return Result()

    def step(self, action: Work, timeout_s: float | None = None, **kwargs: Any) -> Result:
        """Exists because it must; the server calls `step_async`."""
        raise NotImplementedError

    async def step_async(self, action: Work, timeout_s: float | None = None, **kwargs: Any) -> Result:
        """Wait for a while."""
        planned, began = self._times.draw(), time.perf_counter()
        await asyncio.sleep(planned)
        return Result(planned=planned, taken=time.perf_counter() - began)

    @property
    def state(self) -> State:
        """Nothing but the defaults."""
        return State()


app = create_app(HeavyTailEnvironment, Work, Result, max_concurrent_envs=4096)
