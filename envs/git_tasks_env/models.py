"""What travels between an agent and the Git tasks: GitTaskAction, GitTaskObservation, GitTaskState."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from git_env.models import GitAction
from openenv_gym.models import Action, Observation, State

ActionType = Literal["execute_git_command", "read_file", "write_file", "run_script", "submit"]
Kind = Literal[
    "find_line",
    "find_breakage",
    "revert",
    "resolve_conflict",
    "split_commit",
    "move_branch",
    "recover_commit",
    "rewrite_author",
    "backport",
]
Difficulty = Literal["easy", "medium", "hard"]


class GitTaskAction(Action):
    """One operation in the task's repository; the names are those of the Git environment's ``GitAction``.

    ==================== =================================================================
    ``action_type``      fields it reads
    ==================== =================================================================
    execute_git_command  ``command``, ``working_dir``
    read_file            ``path``
    write_file           ``path``, ``content``
    run_script           none; only where the instruction speaks of a script
    submit               none; grades the repository as it is, and ends the episode
    ==================== =================================================================
    """

    action_type: ActionType = Field(description="Operation type")
    command: str = Field(default="", description='Git command, with or without the leading word "git"')
    working_dir: str = Field(
        default="", description="Directory below /workspace to run in; the task's repository if empty"
    )
    path: str = Field(default="", description="File below /workspace, for read_file and write_file")
    content: str = Field(default="", description="The whole new text of the file, for write_file")

    def in_git(self) -> GitAction:
        """The same as an action of the Git environment, for the operations that both have."""
        return GitAction(**self.model_dump())


class GitTaskObservation(Observation):
    """What an operation did. ``reward`` is 0.0 until the episode ends, then the score in [0, 1]."""

    success: bool = Field(default=False, description="Whether the operation succeeded")
    message: str = Field(default="", description="Human-readable message")
    output: str = Field(default="", description="Command output or detailed result")
    error: str = Field(default="", description="Error message if the operation failed")
    instruction: str = Field(default="", description="What is to be done")
    steps_left: int = Field(default=0, ge=0, description="Steps until the repository is graded as it is")


class GitTaskState(State):
    """Episode bookkeeping."""

    task_id: str = Field(default="", description="The task, as split/index")
    kind: str = Field(default="", description="What is to be done")
    difficulty: str = Field(default="", description="easy, medium or hard")
    repository: str = Field(default="", description="The repository that the task was made from")
    workspace_path: str = Field(
        default="/workspace", description="The workspace directory, as the agent sees it"
    )
    score: float | None = Field(default=None, description="The score in [0, 1], once graded")
