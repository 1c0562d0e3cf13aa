"""What travels between an agent and the Git environment: GitAction, GitObservation, GitState.

Names, types and defaults are upstream's; ``path`` and ``content`` (for ``read_file`` and ``write_file``)
are the only additions.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from typing_extensions import TypedDict

from openenv_gym.models import Action, Observation, State

ActionType = Literal["clone_repo", "list_repos", "execute_git_command", "read_file", "write_file"]


class GitAction(Action):
    """One operation in the episode's workspace.

    ==================== =================================================================
    ``action_type``      fields it reads
    ==================== =================================================================
    list_repos           none
    clone_repo           ``repo_name``, ``target_dir``
    execute_git_command  ``command``, ``working_dir`` (or ``repo_name``)
    read_file            ``path``
    write_file           ``path``, ``content``
    ==================== =================================================================
    """

    action_type: ActionType = Field(description="Operation type")
    repo_name: str = Field(default="", description='Repository, as "name" or "owner/name"')
    target_dir: str | None = Field(
        default=None, description="Directory below /workspace to clone into; the repository's name if null"
    )
    command: str = Field(default="", description='Git command, with or without the leading word "git"')
    working_dir: str = Field(
        default="", description="Directory below /workspace to run in; the task's repository if empty"
    )
    path: str = Field(default="", description="File below /workspace, for read_file and write_file")
    content: str = Field(default="", description="The whole new text of the file, for write_file")


class RepositoryInfo(TypedDict):
    """One repository in ``GitObservation.repos``; a plain ``dict`` at run time."""

    name: str
    full_name: str
    clone_url: str
    description: str
    default_branch: str


class GitObservation(Observation):
    """What an operation did. ``reward`` is always null: rewards are the trainer's to define."""

    success: bool = Field(default=False, description="Whether the operation succeeded")
    message: str = Field(default="", description="Human-readable message")
    output: str = Field(default="", description="Command output or detailed result")
    error: str = Field(default="", description="Error message if the operation failed")
    repos: list[RepositoryInfo] = Field(
        default_factory=list, description="The host's repositories, for list_repos"
    )


class GitState(State):
    """Episode bookkeeping."""

    gitea_ready: bool = Field(default=False, description="Whether the git host is accessible")
    workspace_path: str = Field(
        default="/workspace", description="The workspace directory, as the agent sees it"
    )
