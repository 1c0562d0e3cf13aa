"""The typed client of the Git environment."""

from __future__ import annotations

from git_env.models import GitAction, GitObservation, GitState
from openenv_gym.client.env_client import EnvClient


class GitEnv(EnvClient[GitAction, GitObservation, GitState]):
    """One session at a Git environment's server."""

    server_app = "git_env.server.app:app"
