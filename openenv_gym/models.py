"""The data every environment shares: Action, Observation, State, StepResult and metadata.

Field names, defaults and strictness follow OpenEnv's ``core.env_server.types`` so that a model written
for one works with the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

ObsT = TypeVar("ObsT")


class Action(BaseModel):
    """What an agent does in one step; subclass it and add fields. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, arbitrary_types_allowed=True)

    metadata: dict[str, Any] = Field(default_factory=dict, description="Additional metadata for the action")


class Observation(BaseModel):
    """What the environment shows after a reset or a step; subclass it and add fields.

    ``done`` is OpenEnv's single end-of-episode flag: terminated *or* truncated. ``truncated`` (ours) says
    that the end is a limit's, not the task's; OpenEnv's dialect has no field for it, so there it travels
    inside ``metadata``.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, arbitrary_types_allowed=True)

    done: bool = Field(default=False, description="Whether the episode has terminated")
    # The same types as OpenEnv's, the commonest first: pydantic tries one after the other.
    reward: float | int | bool | None = Field(default=None, description="Reward signal from the last action")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="Additional metadata for the observation"
    )
    truncated: bool = Field(
        default=False, description="Whether a limit, rather than the task, ended the episode"
    )


class State(BaseModel):
    """Episode bookkeeping, apart from what the agent observes. Extra fields are welcome."""

    model_config = ConfigDict(extra="allow", validate_assignment=True, arbitrary_types_allowed=True)

    episode_id: str | None = Field(default=None, description="Unique identifier for the current episode")
    step_count: int = Field(default=0, ge=0, description="Number of steps taken in the current episode")


class EnvironmentMetadata(BaseModel):
    """What ``/metadata`` answers."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    name: str = Field(description="Name of the environment")
    description: str = Field(description="Description of what the environment does")
    readme_content: str | None = Field(default=None, description="The environment's README")
    version: str | None = Field(default=None, description="Version of the environment")
    author: str | None = Field(default=None, description="Author of the environment")
    documentation_url: str | None = Field(default=None, description="URL of the documentation")


@dataclass(frozen=True, slots=True)
class StepResult(Generic[ObsT]):
    """What a client's ``reset()`` and ``step()`` return.

    Attributes:
        observation: The environment's observation model (a ``dict`` from a generic client).
        reward: The step's reward; ``None`` when the environment gave none.
        done: Whether the episode has ended, for whichever reason.
        metadata: What the environment sent alongside; ``None`` when it sent nothing.
        truncated: Whether the end is a limit's rather than the task's.
    """

    observation: ObsT
    reward: float | None = None
    done: bool = False
    metadata: dict[str, Any] | None = None
    truncated: bool = False

    @property
    def terminated(self) -> bool:
        """Whether the task itself ended the episode (Gymnasium's ``terminated``)."""
        if not self.truncated:
            return self.done
        return self.metadata is not None and self.metadata.get("terminated") is True
