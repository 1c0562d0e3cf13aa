"""The Echo environment itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from echo_env.models import EchoAction, EchoObservation
from openenv_gym.errors import NotResetError
from openenv_gym.models import EnvironmentMetadata, Observation, State
from openenv_gym.server import ToolEnvironment, tool

VERSION = "0.1.0"
_GREETING = "Echo environment ready!"
_CHARACTERS_PER_REWARD = 10


class EchoEnvironment(ToolEnvironment[State]):
    """Says back what it is told; the reward is a tenth a character. An episode has no end of its own.

    It is told by `EchoAction`, which is what its schema describes, or by two tools, which reward nothing.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"  # nothing here waits or takes time

    def __init__(self) -> None:
        super().__init__()
        self._episode_id: str | None = None
        self._steps = 0

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self, seed: int | None = None, episode_id: str | None = None
    ) -> EchoObservation:
        """Start an episode. Nothing is random, so the seed changes nothing."""
        self._episode_id, self._steps = episode_id or str(uuid4()), 0
        return EchoObservation(echoed_message=_GREETING, reward=0.0)

    def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        """Echo one message, or use the tools."""
        if type(action) is not EchoAction:
            return self._use_tools(action)
        if self._episode_id is None:
            raise NotResetError("step() before reset(): call reset() first")
        self._steps += 1
        message = action.message
        return EchoObservation(
            echoed_message=message,
            message_length=len(message),
            # Divided, not times 0.1: 3 * 0.1 is 0.30000000000000004.
            reward=len(message) / _CHARACTERS_PER_REWARD,
            metadata={"original_message": message, "step": self._steps},
        )

    def _use_tools(self, action: Any) -> Observation:
        self._steps += 1
        observation: Observation = super().step(action)
        observation.reward = 0.0
        return observation

    @tool
    def echo_message(self, message: str) -> str:
        """Echo the message."""
        return message

    @tool
    def echo_with_length(self, message: str) -> dict[str, Any]:
        """Echo the message, and tell its length."""
        return {"message": message, "length": len(message)}

    @property
    def state(self) -> State:
        """The episode's id and how many messages were echoed in it."""
        return State(episode_id=self._episode_id, step_count=self._steps)

    def snapshot(self) -> tuple[str | None, int]:
        """Copy the state; see `openenv_gym.server.Restorable`."""
        return self._episode_id, self._steps

    def restore(self, state: tuple[str | None, int]) -> None:
        """Take on a state that `snapshot` returned."""
        self._episode_id, self._steps = state

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="echo_env",
            description="Echoes messages back and rewards their length",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )
