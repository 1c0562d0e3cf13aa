"""Short forms of the actions that solutions are made of, and of what instructions say again and again."""

from __future__ import annotations

from shlex import quote

from git_tasks_env.models import GitTaskAction
from git_tasks_env.server.grading.goals import ANSWER, PointsAt, Step
from git_tasks_env.server.objects import read_commit
from git_tasks_env.server.workbench import Workbench

DIRECTORY = "/workspace/repository"
SUBMIT = GitTaskAction(action_type="submit")
RUN_SCRIPT = GitTaskAction(action_type="run_script")


def git(*words: str) -> GitTaskAction:
    """A git command, word by word."""
    return GitTaskAction(action_type="execute_git_command", command=" ".join(map(quote, words)))


def write(path: str, content: str) -> GitTaskAction:
    """Write a file of the repository."""
    return GitTaskAction(action_type="write_file", path=f"{DIRECTORY}/{path}", content=content)


def short(ref: str) -> str:
    """A branch's name as people write it."""
    return ref.removeprefix("refs/heads/")


def step_like(bench: Workbench, name: str, tree: str | None = None, subject: str | None = None) -> Step:
    """A commit that a branch must have, like one that there is.

    Args:
        bench: Reads it.
        name: The commit.
        tree: The files that it is to have; by default its own.
        subject: The first line of its message; by default its own.
    """
    commit = read_commit(bench.objects, name)
    return Step(tree or commit.tree, subject or commit.subject, commit.author)


class Answer:
    """A task whose answer is a commit: a tag or branch that is to lead there.

    Args:
        bench: Finds a name that is free.
    """

    def __init__(self, bench: Workbench) -> None:
        self.name = bench.free_name(ANSWER)
        self.request = f"Answer by a tag or branch named `{self.name}` that points at the commit."

    def goal(self, commit: str, near: dict[str, float]) -> PointsAt:
        """What earns the score."""
        return PointsAt("answer", 1.0, (f"refs/tags/{self.name}", f"refs/heads/{self.name}"), commit, near)
