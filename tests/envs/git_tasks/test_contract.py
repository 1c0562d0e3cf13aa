"""The Git tasks keep what every environment promises."""

from __future__ import annotations

import random
from typing import Any

from git_tasks_env import GitTaskAction, GitTasksEnv
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from openenv_gym.testing import EnvironmentContract

_COMMANDS = (
    "status",
    "log --oneline -3",
    "branch -a",
    "commit --allow-empty -m x",
    "checkout --detach",
    "show",
)


class TestGitTasks(EnvironmentContract):
    environment = GitTasksEnvironment
    client = GitTasksEnv
    gymnasium_id = "openenv/GitTasks-v0"
    bad_actions = ({"action_type": "clone_repo"}, {}, {"action_type": "submit", "command": 5})

    def act(self, observation: dict[str, Any], rng: random.Random) -> GitTaskAction:
        if rng.random() < 0.1:
            return GitTaskAction(action_type="submit")
        return GitTaskAction(action_type="execute_git_command", command=rng.choice(_COMMANDS))
