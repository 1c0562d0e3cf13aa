"""Give commits another author, and leave all else of them as it is."""

from __future__ import annotations

from dataclasses import replace

from git_tasks_env.models import Difficulty, GitTaskAction
from git_tasks_env.server.grading.goals import Chain, Clean, Unmoved, has_author, has_date, has_subject
from git_tasks_env.server.kinds.actions import SUBMIT, git, short, step_like
from git_tasks_env.server.objects import Signature, read_commit
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Workbench

_WRONG = ("root", "root@localhost")
# For each of the branch's last commits, oldest first, whether its author is wrong.
_PATTERNS = {
    "easy": (True,),
    "medium": (True, False, True),
    "hard": (True, False, True, False, False, True, False),
}


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task: the newest commit, or one and another some commits back, or several."""
    trunk, side = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    pattern = _PATTERNS[difficulty]
    draft = bench.noise(Draft())
    base = bench.commit(draft, bench.start)
    right = bench.person()
    wrong = Signature(*_WRONG, right.time)
    tip, commits = base, []
    for is_wrong in pattern:
        draft = bench.noise(draft)
        tip = bench.commit(draft, tip, author=wrong if is_wrong else None)
        commits.append(tip)
    steps = []
    for commit, is_wrong in zip(commits, pattern, strict=True):
        step = step_like(bench, commit)
        author = read_commit(bench.objects, commit).author
        steps.append(replace(step, author=replace(right, time=author.time)) if is_wrong else step)
    chain = tuple(steps)
    refs = {trunk: tip, side: base}
    return Task(
        base=bench.base.start,
        instruction=(
            f"The commits of `{short(trunk)}` after {base[:12]} whose author is {_WRONG[0]} <{_WRONG[1]}> "
            f"were written by {right.name} <{right.email}>. Rewrite them to say so. Their changes, "
            "messages, authors' dates and order stay as they are, and so do the commits between them."
        ),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            Chain("authors", 0.7, trunk, base, chain, has_author),
            Chain("dates", 0.2, trunk, base, chain, has_date),
            Chain("messages", 0.1, trunk, base, chain, has_subject),
        ),
        guards=(Unmoved({side: base}), Clean()),
        solution=(
            git("checkout", "--detach", base),
            *(
                action
                for commit, is_wrong in zip(commits, pattern, strict=True)
                for action in _copy(commit, f"{right.name} <{right.email}>" if is_wrong else None)
            ),
            git("branch", "-f", short(trunk), "HEAD"),
            git("checkout", short(trunk)),
            SUBMIT,
        ),
    )


def _copy(commit: str, author: str | None) -> list[GitTaskAction]:
    """Make a commit anew on top of HEAD, with another author if need be."""
    amend = [] if author is None else [git("commit", "--amend", "--no-edit", f"--author={author}")]
    return [git("cherry-pick", commit), *amend]
