"""The Echo environment written for OpenEnv itself, on OpenEnv's own server: the peer of ours.

Served as OpenEnv serves its environments, by uvicorn with its defaults.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from openenv.core.env_server import Action, Environment, Observation, State, create_app
from pydantic import Field


class EchoAction(Action):
    """Something to say."""

    message: str = Field(description="Message to echo back")


class EchoObservation(Observation):
    """What came back."""

    echoed_message: str
    message_length: int = Field(default=0, ge=0)


class EchoEnvironment(Environment[EchoAction, EchoObservation, State]):
    """Does what our `echo_env` does."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> EchoObservation:
        """Start an episode."""
        self._state = State(episode_id=episode_id or str(uuid4()))
        return EchoObservation(echoed_message="Echo environment ready!", reward=0.0)

    def step(self, action: EchoAction, timeout_s: float | None = None, **kwargs: Any) -> EchoObservation:
        """Echo one message."""
        self._state.step_count += 1
        message = action.message
        return EchoObservation(
            echoed_message=message,
            message_length=len(message),
            reward=len(message) / 10,
            metadata={"original_message": message, "step": self._state.step_count},
        )

    @property
    def state(self) -> State:
        """The episode's bookkeeping."""
        return self._state


app = create_app(EchoEnvironment, EchoAction, EchoObservation, env_name="echo_env", max_concurrent_envs=4096)
