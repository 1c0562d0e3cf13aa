"""Tools as actions and observations: how an agent lists and calls them, with OpenEnv's names and values.

Field names, types, defaults and literal values follow OpenEnv's ``core.env_server.mcp_types``, so that its
clients and servers understand them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from openenv_gym.models import Action, Observation

RESERVED_TOOL_NAMES = frozenset({"reset", "step", "state", "close"})
"""Names that no tool may have: an agent that is given tools must not get hold of the episode itself."""


class Tool(BaseModel):
    """What is known of a tool before it is called."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Unique identifier of the tool")
    description: str = Field(description="What the tool does, for whoever chooses one")
    input_schema: dict[str, Any] = Field(description="JSON Schema of its arguments, an object")


class ToolErrorType(StrEnum):
    """Why a call of a tool gave no result."""

    EXECUTION_ERROR = "execution_error"  # the tool itself failed
    INVALID_ARGS = "invalid_args"
    TRANSPORT_ERROR = "transport_error"
    TOOL_NOT_FOUND = "tool_not_found"
    TIMEOUT = "timeout"


class ToolError(BaseModel):
    """Why a call of a tool gave no result, for the agent to read."""

    model_config = ConfigDict(extra="forbid")

    error_type: ToolErrorType = Field(description="Category of the error")
    message: str = Field(description="What went wrong")


@dataclass
class ToolResult:
    """What a tool returned, in the parts that FastMCP's ``CallToolResult`` has too.

    Attributes:
        content: MCP's content blocks, for a model to read.
        structured_content: The value as an object; ``{"result": value}`` where it is none.
        meta: What MCP's ``_meta`` holds.
        data: The value itself.
        is_error: Always false here; failures are `ToolError`.
    """

    content: list[Any]
    structured_content: dict[str, Any] | None
    meta: dict[str, Any] | None
    data: Any
    is_error: bool = False


class ListToolsAction(Action):
    """Ask which tools there are. Needs no reset."""

    type: Literal["list_tools"] = Field(default="list_tools", description="Says which action this is")


class CallToolAction(Action):
    """Call a tool."""

    type: Literal["call_tool"] = Field(default="call_tool", description="Says which action this is")
    tool_name: str = Field(description="Name of the tool")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Its arguments by name")


class ListToolsObservation(Observation):
    """Which tools there are."""

    tools: list[Tool] = Field(description="The tools with their schemas")


class CallToolObservation(Observation):
    """What came of a call: a result, or an error."""

    tool_name: str = Field(description="Name of the tool that was called")
    result: Any = Field(default=None, description="What the tool returned")
    error: ToolError | None = Field(default=None, description="Why there is no result")
