"""Merge a branch, and resolve its conflicts by rules that say which side's line stays in which file."""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.models import Difficulty
from git_tasks_env.server.grading.goals import Chain, Clean, Files, Keeps, MergeOf, Step, Unmoved
from git_tasks_env.server.kinds.actions import SUBMIT, git, short, write
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Place, Workbench

_CONFLICTS = {"easy": 1, "medium": 2, "hard": 3}
_RULES = {
    "ours": "keep the line of `{trunk}`",
    "theirs": "keep the line of `{feature}`",
    "both": "keep both lines, that of `{trunk}` first",
}


@dataclass(frozen=True)
class _Conflict:
    """A line that both branches changed.

    Attributes:
        place: Where.
        ours: What it is on the branch that is merged into.
        theirs: What it is on the other.
        rule: Which stays.
    """

    place: Place
    ours: str
    theirs: str
    rule: str

    @property
    def resolved(self) -> str:
        return {"ours": self.ours, "theirs": self.theirs, "both": f"{self.ours}\n{self.theirs}"}[self.rule]


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task; in a hard one a file that both changed was also moved by one."""
    conflicts = _conflicts(bench, _CONFLICTS[difficulty])
    shared = bench.noise(Draft())
    fork = bench.commit(shared, bench.start)
    ours = shared.with_lines({item.place: item.ours for item in conflicts})
    ours_alone = bench.commit(ours, fork)
    ours = ours.with_lines(bench.change(bench.take()))
    if difficulty == "hard":
        moved = conflicts[0].place[0]
        ours = ours.with_path(moved, bench.moved_path(moved))
    ours_tip = bench.commit(ours, ours_alone)
    clean = bench.change(bench.take())
    theirs = shared.with_lines(clean)
    theirs_alone = bench.commit(theirs, fork)
    theirs = theirs.with_lines({item.place: item.theirs for item in conflicts})
    theirs_tip = bench.commit(theirs, theirs_alone)
    merged = ours.with_lines({**clean, **{item.place: item.resolved for item in conflicts}})

    trunk, feature = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    refs = {trunk: ours_tip, feature: theirs_tip}
    before, after = bench.tree(ours), bench.tree(merged)
    paths = [bench.path(merged, item.place[0]) for item in conflicts]
    rules = "".join(
        f"- in `{path}` {_RULES[item.rule].format(trunk=short(trunk), feature=short(feature))}\n"
        for path, item in zip(paths, conflicts, strict=True)
    )
    return Task(
        base=bench.base.start,
        instruction=(
            f"Merge the branch `{short(feature)}` into `{short(trunk)}`. Where they conflict:\n\n{rules}\n"
            "Everything else that either branch changed stays changed. Commit the merge."
        ),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            Files("files", 0.5, trunk, before, after),
            MergeOf("both_parents", 0.2, trunk, (ours_tip, theirs_tip)),
            Chain("one_merge_commit", 0.3, trunk, ours_tip, (Step(after, merged=(theirs_tip,)),)),
        ),
        guards=(Keeps(trunk, ours_tip), Unmoved({feature: theirs_tip}), Clean()),
        solution=(
            git("merge", short(feature)),
            *(
                write(path, bench.text(merged, item.place[0]))
                for path, item in zip(paths, conflicts, strict=True)
            ),
            git("add", "--", *paths),
            git("commit", "--no-edit"),
            SUBMIT,
        ),
    )


def _conflicts(bench: Workbench, count: int) -> list[_Conflict]:
    """Conflicts in files of their own, with rules of all sorts."""
    rules = list(_RULES)
    bench.rng.shuffle(rules)
    found: list[_Conflict] = []
    for number in range(count):
        place = bench.take(besides=[item.place[0] for item in found])
        found.append(_Conflict(place, bench.line(place), bench.line(place), rules[number % len(rules)]))
    return found
