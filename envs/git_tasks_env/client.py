"""The typed client of the Git tasks."""

from __future__ import annotations

from git_tasks_env.models import GitTaskAction, GitTaskObservation, GitTaskState
from openenv_gym.client.env_client import EnvClient


class GitTasksEnv(EnvClient[GitTaskAction, GitTaskObservation, GitTaskState]):
    """One session at a Git tasks server."""

    server_app = "git_tasks_env.server.app:app"
