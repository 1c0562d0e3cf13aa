"""What travels between an agent and the Coding environment."""

from __future__ import annotations

from pydantic import Field

from openenv_gym.models import Action, Observation, State

MAX_CODE_CHARACTERS = 1 << 20


class CodeAction(Action):
    """Python code to run."""

    code: str = Field(max_length=MAX_CODE_CHARACTERS, description="Python code, of any number of lines")


class CodeObservation(Observation):
    """What the code wrote, and how it ended."""

    stdout: str = Field(default="", description="Standard output, and the value of a last expression")
    stderr: str = Field(default="", description="Standard error: tracebacks, and why the code was stopped")
    exit_code: int = Field(
        default=0,
        description="0: it ran to its end; 1: an exception; 124: stopped at a limit; minus a signal: killed",
    )


class CodeState(State):
    """The episode's bookkeeping."""

    last_exit_code: int = Field(default=0, description="Exit code of the last step")
