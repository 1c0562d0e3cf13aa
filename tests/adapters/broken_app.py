"""An environment whose server is up and whose episodes all fail at their first step."""

from __future__ import annotations

from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app


class Try(Action):
    text: str = ""


class Seen(Observation):
    text: str = ""


class Broken(Environment[Try, Seen, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Seen:
        return Seen(text="ready")

    def step(self, action: Try, timeout_s: float | None = None) -> Seen:
        raise OSError("the disk is gone")

    @property
    def state(self) -> State:
        return State()


app = create_app(Broken, Try, Seen, env_name="broken")
