"""The server's public data types, with OpenEnv's names, fields and meaning."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ServerMode(StrEnum):
    """Whether training code drives the environment (simulation) or an agent only uses its tools."""

    SIMULATION = "simulation"
    PRODUCTION = "production"


class HealthStatus(StrEnum):
    """What ``/health`` says."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class ConcurrencyConfig(_Strict):
    """How many sessions a server takes at once, and how long one without a connection may idle."""

    max_concurrent_envs: int = Field(default=1, ge=1, description="Maximum number of concurrent sessions")
    session_timeout: float | None = Field(
        default=None, gt=0, description="Idle seconds after which a session without a connection is closed"
    )


class ServerCapacityStatus(_Strict):
    """How full a server is."""

    active_sessions: int = Field(ge=0, description="Sessions holding a slot now")
    max_sessions: int = Field(ge=1, description="Slots")

    @model_validator(mode="after")
    def _within_bounds(self) -> ServerCapacityStatus:
        if self.active_sessions > self.max_sessions:
            raise ValueError(
                f"{self.active_sessions} active sessions exceed the maximum of {self.max_sessions}"
            )
        return self

    @property
    def available_slots(self) -> int:
        """Sessions that could be opened now."""
        return self.max_sessions - self.active_sessions

    @property
    def is_at_capacity(self) -> bool:
        """Whether a further session would be refused."""
        return self.available_slots == 0

    @classmethod
    def from_counts(cls, active: int, max_sessions: int) -> ServerCapacityStatus:
        """Build a status from two counts."""
        return cls(active_sessions=active, max_sessions=max_sessions)


class SessionInfo(_Strict):
    """What a server knows about one session."""

    session_id: str = Field(description="The session's identifier, a secret")
    created_at: float = Field(description="Unix time at which the session was opened")
    last_activity_at: float = Field(description="Unix time of its last call")
    step_count: int = Field(default=0, ge=0, description="Steps answered in its current episode")
    environment_type: str = Field(description="Name of its environment")


class HealthResponse(_Strict):
    """What ``/health`` answers."""

    status: HealthStatus = Field(default=HealthStatus.HEALTHY, description="The server's health")


class SchemaResponse(_Strict):
    """What ``/schema`` answers: JSON Schemas."""

    action: dict[str, Any] = Field(description="What a step takes")
    observation: dict[str, Any] = Field(description="What a step returns")
    state: dict[str, Any] = Field(description="What a state call returns")
    reset_observation: dict[str, Any] | None = Field(default=None, description="What a reset returns")


class ResetRequest(BaseModel):
    """Body of ``POST /reset``; further fields are the environment's own reset options."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"seed": 42}, {}]})

    seed: int | None = Field(default=None, ge=0, description="Seed of a reproducible episode")
    episode_id: str | None = Field(default=None, max_length=255, description="A name for the episode")


class StepRequest(_Strict):
    """Body of ``POST /step``."""

    action: dict[str, Any] = Field(description="An action as the `action` schema of `/schema` describes it")
    timeout_s: float | None = Field(
        default=None, gt=0, description="Seconds the step may take; past them its session is closed"
    )
    request_id: str | None = Field(default=None, max_length=255, description="For the caller's own tracking")


class StepResponse(_Strict):
    """What ``/reset`` and ``/step`` answer."""

    observation: dict[str, Any] = Field(description="What the environment shows")
    reward: float | None = Field(default=None, description="The step's reward, if it gave one")
    done: bool = Field(default=False, description="Whether the episode has ended")
    metadata: dict[str, Any] | None = Field(default=None, description="What the environment sent alongside")


class Problem(BaseModel):
    """What every failed HTTP call answers."""

    model_config = ConfigDict(extra="allow")

    detail: str = Field(description="What went wrong, for people")
    code: str = Field(description="The same error code as on the WebSocket")
    reason: str | None = Field(default=None, description="A finer reason, where there is one")
