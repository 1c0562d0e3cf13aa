"""The Git environment: isolated workspaces over a Gitea host, for agents whose commands nobody trusts."""

from git_env.client import GitEnv
from git_env.models import GitAction, GitObservation, GitState

__all__ = ["GitAction", "GitEnv", "GitObservation", "GitState"]
