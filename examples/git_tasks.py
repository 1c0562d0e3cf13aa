"""Find the commit that broke a script, by bisecting; graded by where a tag ends up.

    python examples/git_tasks.py                                  # the small generated repository
    GIT_IMPORT=/path/to/repository python examples/git_tasks.py   # yours

The agent here is a dozen lines; one that learns takes its place, with the score as its reward.
"""

from __future__ import annotations

import re
from typing import Any

import gymnasium

import openenv_gym  # noqa: F401 - registers the ids
from git_tasks_env import GitTaskAction

Env = gymnasium.Env[Any, Any]


def git(env: Env, command: str) -> str:
    """Run one git command; returns what it printed."""
    observation, *_ = env.step(GitTaskAction(action_type="execute_git_command", command=command))
    return str(observation["output"])


def works(env: Env) -> bool:
    """Run the task's script on the files that are checked out."""
    observation, *_ = env.step(GitTaskAction(action_type="run_script"))
    return bool(observation["success"])


def bisect(env: Env, instruction: str) -> None:
    """Halve the history until one commit is left, and tag it."""
    good = re.search(r"worked at commit (\w+)", instruction)
    assert good is not None
    said = git(env, "bisect start") + git(env, "bisect bad") + git(env, f"bisect good {good[1]}")
    while "is the first bad commit" not in said:
        said = git(env, f"bisect {'good' if works(env) else 'bad'}")
    git(env, f"tag answer {said.split()[0]}")


def main() -> None:
    """Solve a task of each difficulty."""
    env = gymnasium.make("openenv/GitTasks-v0")
    for difficulty in ("easy", "medium", "hard"):
        options = {"kind": "find_breakage", "difficulty": difficulty}
        observation, _ = env.reset(seed=1, options=options)
        bisect(env, observation["instruction"])
        observation, score, *_ = env.step(GitTaskAction(action_type="submit"))
        print(f"{difficulty}: score {score:g}, {50 - int(observation['steps_left'])} steps")
    env.close()


if __name__ == "__main__":
    main()
