"""Git tasks: verifiable tasks made from any git repository, graded by the state that it ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_tasks_env.models import GitTaskAction, GitTaskObservation, GitTaskState
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from git_tasks_env.client import GitTasksEnv

__all__ = ["GitTaskAction", "GitTaskObservation", "GitTaskState", "GitTasksEnv"]

__getattr__, __dir__ = lazy_names(__name__, {"GitTasksEnv": "git_tasks_env.client"})
