"""What travels between an agent and the REPL environment; names and values are OpenEnv's."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from openenv_gym.models import Action, Observation, State


class REPLAction(Action):
    """A cell to run, or the final answer."""

    code: str = Field(default="", description="The cell: Python as IPython takes it")
    is_final: bool = Field(default=False, description="Whether this is the final answer instead of a cell")
    final_answer: str | None = Field(default=None, description="The answer, where is_final is true")
    timeout: float | None = Field(
        default=None, gt=0, description="Seconds the cell may run, at most what the server allows"
    )


class CodeBlockResult(BaseModel):
    """What one cell did."""

    model_config = ConfigDict(extra="forbid")

    stdout: str = Field(default="", description="What it printed, and the values it showed as text")
    stderr: str = Field(default="", description="What it wrote to stderr, and its traceback")
    locals_snapshot: dict[str, str] = Field(
        default_factory=dict, description="New and changed variables, as text"
    )
    execution_time: float = Field(default=0.0, ge=0, description="Seconds it ran")
    success: bool = Field(default=True, description="Whether it ended without an exception")
    exception: str | None = Field(default=None, description="The exception's type and message")


class REPLObservation(Observation):
    """What a cell did, and what there is."""

    result: CodeBlockResult = Field(default_factory=CodeBlockResult, description="What the cell did")
    outputs: list[dict[str, Any]] = Field(
        default_factory=list,
        description="All it put out, as a notebook keeps it: streams, display_data and execute_result with "
        "text/plain, text/html, image/png (base64), ..., and errors",
    )
    context_preview: str | None = Field(default=None, description="The beginning of the context")
    context_length: int = Field(default=0, ge=0, description="Length of the context, in characters")
    available_variables: list[str] = Field(default_factory=list, description="Names of the variables")
    iteration: int = Field(default=0, ge=0, description="Cells so far")
    max_iterations: int = Field(default=30, ge=1, description="Cells after which the episode ends")


class REPLState(State):
    """Bookkeeping of the episode."""

    context: str | None = Field(default=None, description="The text to work with")
    task_prompt: str | None = Field(default=None, description="What to find out")
    iteration: int = Field(default=0, ge=0, description="Cells so far")
    max_iterations: int = Field(default=30, ge=1, description="Cells after which the episode ends")
    namespace_keys: list[str] = Field(default_factory=list, description="Names of the variables")
    final_answer: str | None = Field(default=None, description="The answer, once given")
    total_execution_time: float = Field(default=0.0, ge=0, description="Seconds that cells ran, together")
