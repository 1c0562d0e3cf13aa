"""An environment that tells which process it runs in, and what it inherited from that."""

from __future__ import annotations

import os
from typing import Any

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app


class Wait(Action):
    pass


class Whereabouts(Observation):
    pid: int = 0
    siblings: str = ""
    colour: str = ""


class Stationary(Environment[Wait, Whereabouts, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Whereabouts:
        self._state = State(episode_id=episode_id)
        siblings, colour = (os.environ.get(name, "") for name in ("OPENENV_GYM_SIBLINGS", "COLOUR"))
        return Whereabouts(pid=os.getpid(), siblings=siblings, colour=colour)

    def step(self, action: Wait, timeout_s: float | None = None, **kwargs: Any) -> Whereabouts:
        self._state.step_count += 1
        return Whereabouts(pid=os.getpid())

    @property
    def state(self) -> State:
        return self._state


app = create_app(Stationary, Wait, Whereabouts)
