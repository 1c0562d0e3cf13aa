"""The Git environment keeps what every environment promises."""

from __future__ import annotations

import random
from typing import Any

from git_env import GitAction, GitEnv
from git_env.server.git_environment import GitEnvironment
from openenv_gym.testing import EnvironmentContract

COMMANDS = (
    "log --oneline --all",
    "status --short",
    "add --all",
    "commit --allow-empty -m 'one more'",
    "show HEAD",
    "checkout -b topic",
    "no-such-command",
    "log; rm -rf /",
)


class TestGit(EnvironmentContract):
    environment = GitEnvironment
    client = GitEnv
    gymnasium_id = "openenv/Git-v0"
    bad_actions = ({}, {"action_type": "format"}, {"action_type": "read_file", "path": 1})

    def act(self, observation: dict[str, Any], rng: random.Random) -> GitAction:
        if "workspace is empty" in observation["message"]:
            return GitAction(action_type="clone_repo", repo_name="sample-project")
        match rng.randrange(3):
            case 0:
                path = rng.choice(["sample-project/new.txt", "sample-project/naïve 😀.txt"])
                return GitAction(action_type="write_file", path=path, content=f"{rng.random()}\n")
            case 1:
                return GitAction(action_type="read_file", path="sample-project/README.md")
        command = rng.choice(COMMANDS)
        return GitAction(action_type="execute_git_command", command=command, working_dir="sample-project")
