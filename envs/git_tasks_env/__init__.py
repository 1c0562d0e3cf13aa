"""Git tasks: verifiable tasks made from any git repository, graded by the state that it ends in."""

from git_tasks_env.client import GitTasksEnv
from git_tasks_env.models import GitTaskAction, GitTaskObservation, GitTaskState

__all__ = ["GitTaskAction", "GitTaskObservation", "GitTaskState", "GitTasksEnv"]
