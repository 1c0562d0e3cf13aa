"""The dial as OpenEnv serves it: nothing here knows openenv-gym."""

from __future__ import annotations

from typing import Any

from models import DialAction, DialObservation
from openenv.core.env_server import Environment, State, create_app


class Dial(Environment[DialAction, DialObservation, State]):
    """Ten positions in a ring; the episode ends at the seventh."""

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._position = 0

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> DialObservation:
        self._state = State(episode_id=episode_id)
        self._position = (seed or 0) % 10
        return DialObservation(position=self._position)

    def step(self, action: DialAction, timeout_s: float | None = None, **kwargs: Any) -> DialObservation:
        self._state.step_count += 1
        self._position = (self._position + action.turn) % 10
        won = self._position == 7
        return DialObservation(position=self._position, reward=float(won), done=won)

    @property
    def state(self) -> State:
        return self._state


app = create_app(Dial, DialAction, DialObservation, env_name="dial_env")
