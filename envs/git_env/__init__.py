"""The Git environment: isolated workspaces over a Gitea host, for agents whose commands nobody trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_env.models import GitAction, GitObservation, GitState
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from git_env.client import GitEnv

__all__ = ["GitAction", "GitEnv", "GitObservation", "GitState"]

__getattr__, __dir__ = lazy_names(__name__, {"GitEnv": "git_env.client"})
