"""Backport a fix from the main branch to a release branch, and nothing else with it."""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.models import Difficulty, GitTaskAction
from git_tasks_env.server.grading.goals import (
    Chain,
    Clean,
    Files,
    Keeps,
    Step,
    Unmoved,
    has_author,
    has_subject,
)
from git_tasks_env.server.kinds.actions import SUBMIT, git, short, step_like, write
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Place, Workbench

_FIXES = {"easy": 1, "medium": 2, "hard": 1}
_NOISE = 4


@dataclass
class _Branches:
    """What has come about so far."""

    main: Draft
    main_tip: str
    release: Draft
    release_tip: str


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task: one fix, or a fix and its follow-up, or one in a line that the branches do not share."""
    shared = bench.noise(Draft())
    fork = bench.commit(shared, bench.start)
    state = _Branches(shared, fork, shared, fork)
    place, beside = bench.take(), bench.take()
    _go_on(bench, state)
    if difficulty == "hard":
        state.main = state.main.with_lines(bench.change(place))
        state.main_tip = bench.commit(state.main, state.main_tip)
    start = state.release_tip, bench.tree(state.release)
    fixes: list[str] = []
    steps: list[Step] = []
    for _ in range(_FIXES[difficulty]):
        lines = {**bench.change(place), **bench.change(beside)}
        state.main, state.release = state.main.with_lines(lines), state.release.with_lines(lines)
        subject = bench.subject("handling of errors")
        state.main_tip = bench.commit(state.main, state.main_tip, subject=subject)
        fixes.append(state.main_tip)
        steps.append(step_like(bench, fixes[-1], bench.tree(state.release)))
        _grow_main(bench, state)

    trunk, release = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    refs = {trunk: state.main_tip, release: start[0]}
    chain = tuple(steps)
    return Task(
        base=bench.base.start,
        instruction=_instruction(short(trunk), short(release), difficulty, fixes, steps),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            Files("files", 0.4, release, start[1], chain[-1].tree),
            Chain("commits", 0.3, release, start[0], chain),
            Chain("messages", 0.15, release, start[0], chain, has_subject),
            Chain("authors", 0.15, release, start[0], chain, has_author),
        ),
        guards=(Keeps(release, start[0]), Unmoved({trunk: state.main_tip}), Clean()),
        solution=(
            git("checkout", short(release)),
            *(git("cherry-pick", fix) for fix in fixes),
            *(_resolve(bench, state.release, place) if difficulty == "hard" else ()),
            SUBMIT,
        ),
    )


def _go_on(bench: Workbench, state: _Branches) -> None:
    """Both branches get commits of their own."""
    state.release = bench.noise(state.release)
    state.release_tip = bench.commit(state.release, state.release_tip)
    _grow_main(bench, state)


def _grow_main(bench: Workbench, state: _Branches) -> None:
    for _ in range(bench.rng.randrange(1, _NOISE)):
        state.main = bench.noise(state.main)
        state.main_tip = bench.commit(state.main, state.main_tip)


def _instruction(
    trunk: str, release: str, difficulty: Difficulty, fixes: list[str], steps: list[Step]
) -> str:
    if difficulty == "medium":
        titles = " and its follow-up ".join(f'"{step.subject}"' for step in steps)
        what = f"the fix {titles}, two commits of `{trunk}`,"
    else:
        what = f'the fix {fixes[0][:12]} of `{trunk}` ("{steps[0].subject}")'
    conflict = (
        " It will conflict: take each line that the fix changed as the fix has it."
        if difficulty == "hard"
        else ""
    )
    return (
        f"Backport {what} to the branch `{release}`, with message and author as they are.{conflict} "
        f"Nothing else of `{trunk}` may come along, and `{trunk}` stays as it is."
    )


def _resolve(bench: Workbench, files: Draft, place: Place) -> list[GitTaskAction]:
    path = bench.sheets[place[0]].path
    return [
        write(path, bench.text(files, place[0])),
        git("add", "--", path),
        git("cherry-pick", "--continue"),
    ]
