"""Best of N by forking: try several ways to do a git task from one state, at once, and go on with the best.

    python examples/best_of_n.py

The task: bring the priorities of the embedded host's sample project to its release, and nothing else.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium

import openenv_gym
from git_env import GitAction

PLANS = {
    "merge main": ["merge --no-edit origin/main"],
    "pick the last commit": ["cherry-pick origin/feature/priorities"],
    "copy everything": ["checkout origin/main -- .", "commit -m priorities"],
    "merge the branch": ["merge --no-edit origin/feature/priorities"],
}


def git(env: gymnasium.Env[Any, Any], command: str) -> str:
    """Run one command; returns what it printed."""
    action = GitAction(action_type="execute_git_command", command=command, working_dir="sample-project")
    observation = env.step(action)[0]
    return str(observation["output"])


def attempt(env: gymnasium.Env[Any, Any], plan: list[str]) -> float:
    """Carry a plan out and score the end: 1 for the priorities, less for each file that is not wanted."""
    for command in plan:
        git(env, command)
    changed = git(env, "diff --name-only v1.0.0").split()
    is_there = "HIGH" in git(env, "show HEAD:src/priorities.py")
    return is_there - 0.1 * len([name for name in changed if name != "src/priorities.py"])


def main() -> None:
    """Play every plan in a fork of its own, and keep the best fork."""
    env = gymnasium.make("openenv/Git-v0")
    env.reset(seed=1)
    env.step(GitAction(action_type="clone_repo", repo_name="sample-project"))
    git(env, "checkout -b backport v1.0.0")

    here = openenv_gym.snapshot(env)
    forks = {name: openenv_gym.fork(env, here) for name in PLANS}
    with ThreadPoolExecutor() as threads:
        scores = dict(zip(PLANS, threads.map(attempt, forks.values(), PLANS.values()), strict=True))
    for name, score in sorted(scores.items(), key=lambda one: -one[1]):
        print(f"{score:5.1f}  {name}")

    best = max(scores, key=lambda name: scores[name])
    env.close()
    env = forks.pop(best)  # the episode goes on from there; its time limit counts on, too
    for other in forks.values():
        other.close()
    print(git(env, "log --oneline --graph -4"))
    env.close()


if __name__ == "__main__":
    main()
