"""Serve an environment in OpenEnv's protocol.

The names are OpenEnv's, so an environment written for ``openenv.core.env_server`` needs only its import line
changed. They are imported on first use: ``from openenv_gym.server import Environment`` loads no FastAPI.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openenv_gym.models import Action, EnvironmentMetadata, Observation, State
    from openenv_gym.server.app import create_app, create_fastapi_app
    from openenv_gym.server.environment import (
        Environment,
        Message,
        ModelTokenizer,
        Renderable,
        Restorable,
        Rubric,
        TaskProvider,
        Transform,
    )
    from openenv_gym.server.mcp_environment import MCPEnvironment
    from openenv_gym.server.settings import ServerSettings
    from openenv_gym.server.shared_state import SharedState
    from openenv_gym.server.tool_environment import ToolEnvironment, tool
    from openenv_gym.server.types import (
        ConcurrencyConfig,
        HealthResponse,
        HealthStatus,
        SchemaResponse,
        ServerCapacityStatus,
        ServerMode,
        SessionInfo,
    )
    from openenv_gym.tools import (
        CallToolAction,
        CallToolObservation,
        ListToolsAction,
        ListToolsObservation,
        Tool,
        ToolError,
        ToolErrorType,
    )

__all__ = [
    "Action",
    "CallToolAction",
    "CallToolObservation",
    "ConcurrencyConfig",
    "Environment",
    "EnvironmentMetadata",
    "HealthResponse",
    "HealthStatus",
    "ListToolsAction",
    "ListToolsObservation",
    "MCPEnvironment",
    "Message",
    "ModelTokenizer",
    "Observation",
    "Renderable",
    "Restorable",
    "Rubric",
    "SchemaResponse",
    "ServerCapacityStatus",
    "ServerMode",
    "ServerSettings",
    "SessionInfo",
    "SharedState",
    "State",
    "TaskProvider",
    "Tool",
    "ToolEnvironment",
    "ToolError",
    "ToolErrorType",
    "Transform",
    "create_app",
    "create_fastapi_app",
    "tool",
]

_HOMES = {
    "openenv_gym.models": ("Action", "EnvironmentMetadata", "Observation", "State"),
    "openenv_gym.server.app": ("create_app", "create_fastapi_app"),
    "openenv_gym.server.environment": (
        "Environment",
        "Message",
        "ModelTokenizer",
        "Renderable",
        "Restorable",
        "Rubric",
        "TaskProvider",
        "Transform",
    ),
    "openenv_gym.server.mcp_environment": ("MCPEnvironment",),
    "openenv_gym.server.settings": ("ServerSettings",),
    "openenv_gym.server.shared_state": ("SharedState",),
    "openenv_gym.server.tool_environment": ("ToolEnvironment", "tool"),
    "openenv_gym.server.types": (
        "ConcurrencyConfig",
        "HealthResponse",
        "HealthStatus",
        "SchemaResponse",
        "ServerCapacityStatus",
        "ServerMode",
        "SessionInfo",
    ),
    "openenv_gym.tools": (
        "CallToolAction",
        "CallToolObservation",
        "ListToolsAction",
        "ListToolsObservation",
        "Tool",
        "ToolError",
        "ToolErrorType",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_OF_THE_EXTRA = {"fastapi", "starlette", "uvicorn"}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        if error.name in _OF_THE_EXTRA:
            from openenv_gym.errors import MissingExtraError

            raise MissingExtraError("the server", "server") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
