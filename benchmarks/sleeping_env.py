"""An environment whose step does nothing but wait, on our server: a session that awaits a model or a page."""

from __future__ import annotations

import asyncio

from pydantic import Field

from openenv_gym import Action, Observation, State
from openenv_gym.server import Environment, create_app


class SleepAction(Action):
    """How long to wait."""

    seconds: float = Field(ge=0)


class SleepObservation(Observation):
    """How often it has waited."""

    naps: int = Field(default=0, ge=0)


class SleepingEnvironment(Environment[SleepAction, SleepObservation, State]):
    """Waits in each step without holding up anybody else."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._naps = 0

    async def reset(  # type: ignore[override]  # written as coroutines, which the server awaits
        self, seed: int | None = None, episode_id: str | None = None
    ) -> SleepObservation:
        """Start an episode."""
        self._naps = 0
        return SleepObservation()

    async def step(  # type: ignore[override]
        self, action: SleepAction, timeout_s: float | None = None
    ) -> SleepObservation:
        """Wait."""
        await asyncio.sleep(action.seconds)
        self._naps += 1
        return SleepObservation(naps=self._naps, reward=1.0)

    @property
    def state(self) -> State:
        """How often it has waited."""
        return State(step_count=self._naps)


app = create_app(SleepingEnvironment, SleepAction, SleepObservation, env_name="sleeping_env")
