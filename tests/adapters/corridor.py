"""A small environment with every feature the adapters must carry: seeds, options, both ends, null rewards."""

from __future__ import annotations

import random
from typing import Any, Literal

from pydantic import Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app


class CorridorAction(Action):
    direction: Literal["left", "right", "stay"]
    speed: int = Field(default=1, ge=1, le=3)
    shout: str = ""


class CorridorObservation(Observation):
    position: int = Field(ge=0, le=100)
    wind: float = 0.0
    sign: str = ""
    lit: bool = False
    echoes: list[str] = Field(default_factory=list)
    clue: int | None = None


class CorridorState(State):
    length: int = 5


class Corridor(Environment[CorridorAction, CorridorObservation, CorridorState]):
    """Walk to the end of a windy corridor; fall into a hole and the episode is cut.

    Shouting "explode" makes the step raise.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(0)
        self._state = CorridorState()
        self._position = 0
        self._echoes: list[str] = Field(default_factory=list)

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, length: int = 5, **kwargs: Any
    ) -> CorridorObservation:
        if kwargs:
            raise ValueError(f"unknown options: {sorted(kwargs)}")
        self._random = random.Random(seed)
        self._state = CorridorState(episode_id=episode_id, length=length)
        self._position = 0
        self._echoes = []
        return self._observe()

    def step(
        self, action: CorridorAction, timeout_s: float | None = None, **kwargs: Any
    ) -> CorridorObservation:
        if action.shout == "explode":
            raise RuntimeError("the corridor exploded")
        self._state.step_count += 1
        move = {"left": -1, "right": 1, "stay": 0}[action.direction] * action.speed
        self._position = max(0, self._position + move + self._random.choice([-1, 0, 0, 1]))
        if action.shout:
            self._echoes.append(action.shout[::-1])
        observation = self._observe()
        observation.reward = None if self._random.random() < 0.2 else self._random.random()
        fell = self._random.random() < 0.1
        observation.done = fell or self._position >= self._state.length
        observation.truncated = fell
        return observation

    @property
    def state(self) -> CorridorState:
        return self._state

    def _observe(self) -> CorridorObservation:
        return CorridorObservation(
            position=self._position,
            wind=self._random.uniform(-1, 1),
            sign="⇒" * (self._position + 1) + "żółć 🚪",
            lit=self._random.random() < 0.5,
            echoes=list(self._echoes),
            clue=self._random.choice([None, 1, 2**40]),
            metadata={"length": self._state.length},
        )


app = create_app(Corridor, CorridorAction, CorridorObservation, env_name="corridor", state_cls=CorridorState)
