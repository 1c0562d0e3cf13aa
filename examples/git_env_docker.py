"""The Git environment in a container: list the repositories, clone one, look around.

    openenv-gym build git                    # once: makes the image git-env:latest
    python examples/git_env_docker.py        # with a small sample repository
    python examples/git_env_docker.py REPO   # with what is committed in your own, which it can only read

The container has no capability, a read-only root and limits; it ends with this program, however that ends.
servers/gitea/README.md says how many containers share one Gitea.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from git_env import GitAction, GitEnv
from openenv_gym.errors import ProviderError

IMAGE = "git-env:latest"


def walk_through(git_env: Any) -> None:
    """List, clone, look around."""
    result = git_env.reset()
    print(result.observation.message)

    result = git_env.step(GitAction(action_type="list_repos"))
    for repo in result.observation.repos:
        print(f"{repo['name']}: {repo['clone_url']}")
    name = result.observation.repos[0]["name"]

    result = git_env.step(GitAction(action_type="clone_repo", repo_name=name))
    print(result.observation.output)  # Cloned to: /workspace/<name>

    for command in ("status", "log --oneline -n 3"):
        result = git_env.step(GitAction(action_type="execute_git_command", command=command, working_dir=name))
        print(f"$ git {command}\n{result.observation.output}")


def mounted(repo: Path) -> dict[str, Any]:
    """What a container is given to serve a repository of this machine: its history, and no file beside it."""
    where = ["git", "-C", str(repo), "rev-parse", "--path-format=absolute", "--git-common-dir"]
    found = subprocess.run(where, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        sys.exit(f"{repo}: {found.stderr.strip()}")
    inside = f"/repositories/{repo.resolve().name}.git"
    return {
        "volumes": {found.stdout.strip(): f"{inside}:ro"},
        "env_vars": {"GIT_IMPORT": shlex.quote(inside)},
    }


def main() -> None:
    """Start a container, walk through, end it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repo", nargs="?", type=Path, help="a git repository of this machine")
    repo = parser.parse_args().repo
    options = {} if repo is None else mounted(repo)
    try:
        git_env = GitEnv.from_docker_image(IMAGE, **options).sync()
    except ProviderError as error:
        sys.exit(f"{error}\n\nThe image {IMAGE} is made by: openenv-gym build git")
    with git_env:
        walk_through(git_env)


if __name__ == "__main__":
    main()
