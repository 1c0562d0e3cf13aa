"""An agent at the Git environment, in tests: short calls, and a memory of all that passed."""

from __future__ import annotations

from git_env.models import GitAction, GitObservation
from git_env.server.git_environment import GitEnvironment


class Agent:
    """Acts in one environment.

    Args:
        env: The environment; reset by `start`.
        home: Directory that commands run in unless told otherwise.
    """

    def __init__(self, env: GitEnvironment, home: str = "project") -> None:
        self.env = env
        self.home = home
        self.seen: list[GitObservation] = []
        self.sent: list[str] = []

    def start(self, seed: int = 0, task_id: str | None = None) -> GitObservation:
        return self._remember(self.env.reset(seed=seed, task_id=task_id))

    def git(self, command: str, working_dir: str | None = None) -> GitObservation:
        directory = self.home if working_dir is None else working_dir
        return self.act(action_type="execute_git_command", command=command, working_dir=directory)

    def run(self, command: str, working_dir: str | None = None) -> str:
        """A command that must succeed; returns its output."""
        observation = self.git(command, working_dir)
        assert observation.success, f"{command}: {observation.error}"
        return observation.output

    def clone(self, repository: str, target_dir: str | None = None) -> GitObservation:
        return self.act(action_type="clone_repo", repo_name=repository, target_dir=target_dir)

    def write(self, path: str, content: str) -> GitObservation:
        return self.act(action_type="write_file", path=path, content=content)

    def read(self, path: str) -> GitObservation:
        return self.act(action_type="read_file", path=path)

    def act(self, **fields: object) -> GitObservation:
        self.sent.append(str(fields))
        return self._remember(self.env.step(GitAction(**fields)))

    def _remember(self, observation: GitObservation) -> GitObservation:
        self.seen.append(observation)
        return observation
