"""The sleeping environment written for OpenEnv itself, on OpenEnv's own server: the peer of ours.

Served as OpenEnv serves its environments, by uvicorn with its defaults.
"""

from __future__ import annotations

import asyncio
from typing import Any

from openenv.core.env_server import Action, Environment, Observation, State, create_app
from pydantic import Field


class SleepAction(Action):
    """How long to wait."""

    seconds: float = Field(ge=0)


class SleepObservation(Observation):
    """How often it has waited."""

    naps: int = Field(default=0, ge=0)


class SleepingEnvironment(Environment[SleepAction, SleepObservation, State]):
    """Does what ours does."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._naps = 0

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> SleepObservation:
        """Start an episode."""
        self._naps = 0
        return SleepObservation()

    async def step_async(
        self, action: SleepAction, timeout_s: float | None = None, **kwargs: Any
    ) -> SleepObservation:
        """Wait."""
        await asyncio.sleep(action.seconds)
        self._naps += 1
        return SleepObservation(naps=self._naps, reward=1.0)

    def step(self, action: SleepAction, timeout_s: float | None = None, **kwargs: Any) -> SleepObservation:
        """Refuse: the server calls `step_async`."""
        raise NotImplementedError

    @property
    def state(self) -> State:
        """How often it has waited."""
        return State(step_count=self._naps)


app = create_app(
    SleepingEnvironment, SleepAction, SleepObservation, env_name="sleeping_env", max_concurrent_envs=32768
)
