"""Plays a task in tests: short calls, and the parts of the task that tests need to know."""

from __future__ import annotations

from git_tasks_env.models import Difficulty, GitTaskAction, GitTaskObservation, Kind
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.kinds.actions import DIRECTORY, short
from git_tasks_env.server.task import Task


class Player:
    """Acts in one environment.

    Args:
        env: The environment; reset by `start`.
    """

    def __init__(self, env: GitTasksEnvironment) -> None:
        self.env = env
        self.seen: list[GitTaskObservation] = []

    @property
    def task(self) -> Task:
        assert self.env._episode is not None
        return self.env._episode.task

    @property
    def trunk(self) -> str:
        """The branch that is checked out at the start."""
        return short(self.task.head)

    @property
    def tip(self) -> str:
        """Where it was at the start."""
        return self.task.refs[self.task.head]

    def other(self, number: int = 0) -> str:
        """Another branch of the start."""
        return [short(ref) for ref in self.task.refs if ref != self.task.head][number]

    def start(
        self,
        kind: Kind | None = None,
        difficulty: Difficulty | None = None,
        seed: int = 1,
        repository: str = "ordinary",
    ) -> GitTaskObservation:
        self.seen = [
            self.env.reset(seed=seed, kind=kind, difficulty=difficulty, repository=repository, max_steps=200)
        ]
        return self.seen[0]

    def act(self, action: GitTaskAction) -> GitTaskObservation:
        self.seen.append(self.env.step(action))
        return self.seen[-1]

    def git(self, command: str) -> GitTaskObservation:
        return self.act(GitTaskAction(action_type="execute_git_command", command=command))

    def run(self, *commands: str) -> str:
        """Commands that must succeed; the last one's output."""
        for command in commands:
            done = self.git(command)
            assert done.success, f"{command}: {done.error}"
        return done.output

    def write(self, path: str, content: str) -> GitTaskObservation:
        return self.act(GitTaskAction(action_type="write_file", path=f"{DIRECTORY}/{path}", content=content))

    def solve(self, actions: slice = slice(None, -1)) -> None:
        """Carry out a part of the solution; by default all but its end."""
        for action in self.task.solution[actions]:
            self.act(action)

    def script(self) -> GitTaskObservation:
        return self.act(GitTaskAction(action_type="run_script"))

    def submit(self) -> float:
        done = self.act(GitTaskAction(action_type="submit"))
        assert done.done
        assert isinstance(done.reward, float)
        return done.reward
