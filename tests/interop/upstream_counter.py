"""An environment written for OpenEnv itself: nothing here knows openenv-gym."""

from __future__ import annotations

import random
from typing import Any, Literal
from uuid import uuid4

from openenv.core.env_server import Action, Environment, Observation, State
from pydantic import Field


class CountAction(Action):
    """Add to, or take from, a counter."""

    how: Literal["add", "take"] = "add"
    amount: int = Field(default=1, ge=0, le=10)
    note: str = ""


class CountObservation(Observation):
    """Where the counter stands."""

    total: int = 0
    noise: float = 0.0
    note: str = ""
    history: list[int] = Field(default_factory=list)
    hint: str | None = None


class CountState(State):
    """The counter's bookkeeping."""

    goal: int = 5


class Counter(Environment[CountAction, CountObservation, CountState]):
    """Reach the goal; taking below zero raises."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random()
        self._state = CountState()
        self._total = 0
        self._history: list[int] = []

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, goal: int = 5, **kwargs: Any
    ) -> CountObservation:
        self._random = random.Random(seed)
        self._state = CountState(episode_id=episode_id or str(uuid4()), step_count=0, goal=goal)
        self._total, self._history = 0, []
        return self._observe("")

    def step(self, action: CountAction, timeout_s: float | None = None, **kwargs: Any) -> CountObservation:
        self._state.step_count += 1
        self._total += action.amount if action.how == "add" else -action.amount
        if self._total < 0:
            raise ValueError("the counter fell below zero")
        self._history.append(self._total)
        observation = self._observe(action.note)
        observation.done = self._total >= self._state.goal
        observation.reward = 1.0 if observation.done else None
        return observation

    @property
    def state(self) -> CountState:
        return self._state

    def list_splits(self) -> list[str]:
        return ["train", "test"]

    def num_tasks(self, split: str) -> int:
        return {"train": 3, "test": 1}[split]

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        return [{"id": f"{split}-{index}"} for index in range(self.num_tasks(split))]

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        return self.list_tasks(split)[index]

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        return self.list_tasks(split)[start:stop]

    def _observe(self, note: str) -> CountObservation:
        return CountObservation(
            total=self._total,
            noise=self._random.random(),
            note=note,
            history=list(self._history),
            hint=None if self._total % 2 else "even",
            metadata={"goal": self._state.goal},
        )
