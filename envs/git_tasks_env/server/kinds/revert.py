"""Revert one commit of a merge-ridden history, by a new commit, with everything after it kept."""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.models import Difficulty
from git_tasks_env.server.grading.goals import Chain, Clean, Files, Keeps, Step, Unmoved
from git_tasks_env.server.kinds.actions import SUBMIT, git, short
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Place, Workbench

_MERGES = {"easy": 2, "medium": 4, "hard": 6}


@dataclass(frozen=True)
class _Made:
    """A commit that could be reverted."""

    commit: str
    subject: str
    places: tuple[Place, ...]


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task: to revert a commit of the main line, of a merged branch, or a whole merge."""
    rounds = _MERGES[difficulty]
    chosen = bench.rng.randrange(rounds - 1)
    draft, tip = Draft(), bench.start
    targets: dict[Difficulty, _Made] = {}
    for number in range(rounds):
        draft, tip = _round(bench, draft, tip, targets if number == chosen else None)
    target = targets[difficulty]
    trunk, side = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    refs = {trunk: tip, side: bench.commit(bench.noise(draft), tip)}
    before, after = bench.tree(draft), bench.tree(draft.without_lines(target.places))
    is_merge = difficulty == "hard"
    kind, against = ("merge commit", " against its first parent") if is_merge else ("commit", "")
    return Task(
        base=bench.base.start,
        instruction=(
            f'The {kind} {target.commit[:12]} ("{target.subject}") turned out to be wrong. Undo what it '
            "changed"
            f"{against}, by one new commit on top of the branch `{short(trunk)}`. Keep everything else: all "
            "other changes, and the history as it is."
        ),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            Files("files", 0.6, trunk, before, after),
            Chain("one_new_commit", 0.4, trunk, tip, (Step(after),)),
        ),
        guards=(Keeps(trunk, tip), Unmoved({side: refs[side]}), Clean()),
        solution=(git("revert", "--no-edit", *(["-m1"] if is_merge else []), target.commit), SUBMIT),
    )


def _round(
    bench: Workbench, draft: Draft, tip: str, targets: dict[Difficulty, _Made] | None
) -> tuple[Draft, str]:
    """Two commits of the main line beside a branch of two commits, and the merge.

    Args:
        bench: Makes them.
        draft: The files before.
        tip: The commit before.
        targets: Takes the commits of this round that may be reverted; None where none will be.

    Returns:
        The files and the commit after.
    """
    # What is to be reverted is in slots that nothing else changes.
    own = [bench.take() for _ in range(3)] if targets is not None else []
    lines = [bench.change(place) for place in own] or [dict(bench.noise(Draft()).lines) for _ in range(3)]
    side = draft.with_lines(lines[0])
    first_subject, merge_subject = bench.subject(), f"Merge branch '{bench.branch()}'"
    side_first = bench.commit(side, tip, subject=first_subject)
    side = side.with_lines(lines[1])
    side_tip = bench.commit(side, side_first)
    main = draft.with_lines(lines[2])
    main_subject = bench.subject()
    main_first = bench.commit(main, tip, subject=main_subject)
    main = bench.noise(main)
    main_tip = bench.commit(main, main_first)
    merged = main.with_lines({**lines[0], **lines[1]})
    merge = bench.commit(merged, main_tip, side_tip, subject=merge_subject)
    if targets is not None:
        targets["easy"] = _Made(main_first, main_subject, (own[2],))
        targets["medium"] = _Made(side_first, first_subject, (own[0],))
        targets["hard"] = _Made(merge, merge_subject, (own[0], own[1]))
    return merged, merge
