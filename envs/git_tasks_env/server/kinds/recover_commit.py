"""Recover a commit that no branch leads to any more; only the reflog knows it."""

from __future__ import annotations

from dataclasses import replace

from git_tasks_env.models import Difficulty
from git_tasks_env.server.grading.goals import Chain, Clean, PointsAt, Unmoved
from git_tasks_env.server.kinds.actions import SUBMIT, git, short, step_like
from git_tasks_env.server.objects import read_commit
from git_tasks_env.server.task import LogEntry, Task
from git_tasks_env.server.workbench import Draft, Workbench

_NO_OBJECT = "0" * 40
_VERSIONS = {"easy": 1, "medium": 1, "hard": 4}


class _Reflogs:
    """Writes the logs of HEAD and of the branch that is checked out, as git would."""

    def __init__(self, bench: Workbench, trunk: str) -> None:
        self._bench = bench
        self._branch = trunk
        self._tip = _NO_OBJECT
        self.logs: dict[str, list[LogEntry]] = {"HEAD": [], trunk: []}

    def move(self, commit: str, reason: str, *, branch: bool = True) -> None:
        """HEAD goes to a commit, with its branch unless it was left."""
        who = replace(read_commit(self._bench.objects, commit).committer, time=self._bench.time)
        entry = LogEntry(self._tip, commit, who, reason)
        self.logs["HEAD"].append(entry)
        if branch:
            self.logs[self._branch].append(entry)
        self._tip = commit

    def commit(self, commit: str, what: str = "commit", *, branch: bool = True) -> None:
        """HEAD goes to a new commit."""
        subject = read_commit(self._bench.objects, commit).subject
        self.move(commit, f"{what}: {subject}", branch=branch)


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task: the commit was reset away, or on a deleted branch, or one version of many."""
    trunk, rescued = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    logs = _Reflogs(bench, trunk)
    draft = bench.noise(Draft())
    fork = bench.commit(draft, bench.start)
    logs.commit(fork)
    gone, subject, place = bench.branch(), bench.subject(), bench.take()
    on_trunk = difficulty != "medium"
    if not on_trunk:
        logs.move(fork, f"checkout: moving from {short(trunk)} to {gone}", branch=False)
    lost_draft = draft.with_lines(bench.change(bench.take()))
    below = bench.commit(lost_draft, fork)
    logs.commit(below, branch=on_trunk)
    versions: dict[str, str] = {}
    for number in range(_VERSIONS[difficulty]):
        line = bench.line(place)
        version = bench.commit(lost_draft.with_lines({place: line}), below, subject=subject)
        logs.commit(version, "commit (amend)" if number else "commit", branch=on_trunk)
        versions[version] = line
    if on_trunk:
        logs.move(fork, "reset: moving to HEAD~2")
    else:
        logs.move(fork, f"checkout: moving from {gone} to {short(trunk)}", branch=False)
    tip = fork
    for _ in range(3):
        draft = bench.noise(draft)
        tip = bench.commit(draft, tip)
        logs.commit(tip)

    # Never the newest version, where there are several.
    wanted = bench.rng.choice(list(versions)[:-1] or list(versions))
    what = f'"{subject}"'
    told = {
        "easy": f"The commit {what} was lost from `{short(trunk)}` by a reset.",
        "medium": f"The branch `{gone}`, whose newest commit was {what}, was deleted.",
        "hard": (
            f"The commit {what} was amended several times, then lost by a reset. Wanted is the version in "
            f"which `{bench.sheets[place[0]].path}` has the line\n\n    {versions[wanted].strip()}\n\n"
        ),
    }[difficulty]
    steps = (step_like(bench, below), step_like(bench, wanted))
    return Task(
        base=bench.base.start,
        instruction=(
            f"{told} Find the commit, and make a branch `{short(rescued)}` that points at it. The other "
            "branches stay where they are."
        ),
        head=trunk,
        refs={trunk: tip},
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            PointsAt("the_commit_itself", 0.6, (rescued,), wanted, dict.fromkeys(versions, 0.3)),
            Chain("its_changes", 0.4, rescued, fork, steps),
        ),
        guards=(Unmoved({trunk: tip}), Clean()),
        solution=(git("reflog"), git("branch", short(rescued), wanted), SUBMIT),
        reflogs=logs.logs,
    )
