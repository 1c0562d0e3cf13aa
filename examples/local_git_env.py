"""The Git environment's quick start: list, clone, look around - on a server started just for this.

    python examples/local_git_env.py

Without a GITEA_URL the environment starts an embedded git host with a small sample repository. To use a real
Gitea, which servers/gitea/setup starts and describes in servers/gitea/.env:

    set -a; . servers/gitea/.env; set +a; python examples/local_git_env.py
"""

from __future__ import annotations

from git_env import GitAction, GitEnv
from openenv_gym import ProcessProvider


def main() -> None:
    """Walk through the environment's actions."""
    with GitEnv(provider=ProcessProvider()).sync() as git_env:
        result = git_env.reset()
        print(result.observation.message)

        result = git_env.step(GitAction(action_type="list_repos"))
        for repo in result.observation.repos:
            print(f"{repo['name']}: {repo['clone_url']}")
        name = result.observation.repos[0]["name"]

        result = git_env.step(GitAction(action_type="clone_repo", repo_name=name))
        print(result.observation.output)  # Cloned to: /workspace/<name>

        for command in ("status", "log --oneline -n 3", "branch --all"):
            result = git_env.step(
                GitAction(action_type="execute_git_command", command=command, working_dir=name)
            )
            print(f"$ git {command}\n{result.observation.output}")

        print(git_env.state())


if __name__ == "__main__":
    main()
