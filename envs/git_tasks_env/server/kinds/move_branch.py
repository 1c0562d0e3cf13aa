"""Move commits to where they belong: a new branch, another one, or a new base for a stack of branches."""

from __future__ import annotations

from git_tasks_env.models import Difficulty
from git_tasks_env.server.grading.goals import (
    Chain,
    Clean,
    Keeps,
    Needs,
    PointsAt,
    Unmoved,
    has_author,
    has_subject,
)
from git_tasks_env.server.kinds.actions import SUBMIT, git, short, step_like
from git_tasks_env.server.task import Task
from git_tasks_env.server.workbench import Draft, Place, Workbench


def make(bench: Workbench, difficulty: Difficulty) -> Task:
    """Make a task."""
    return {"easy": _to_new_branch, "medium": _to_other_branch, "hard": _stack}[difficulty](bench)


def _to_new_branch(bench: Workbench) -> Task:
    """The newest commits of the main branch were meant for a branch that does not exist yet."""
    trunk, topic = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    draft = bench.noise(Draft())
    stay = bench.commit(draft, bench.start)
    count = bench.rng.randrange(2, 5)
    tip = stay
    for _ in range(count):
        draft = bench.noise(draft)
        tip = bench.commit(draft, tip)
    moved = PointsAt("moved", 0.5, (topic,), tip)
    return Task(
        base=bench.base.start,
        instruction=(
            f"The last {count} commits of `{short(trunk)}` should have been made on a branch of their own. "
            f"Make it, as `{short(topic)}`, with these very commits, and take `{short(trunk)}` back to "
            "where it was before them."
        ),
        head=trunk,
        refs={trunk: tip},
        objects=bench.objects.new,
        newest=bench.time,
        goals=(moved, PointsAt("taken_back", 0.5, (trunk,), stay)),
        guards=(Needs(moved), Clean()),
        solution=(git("branch", short(topic)), git("reset", "--hard", f"HEAD~{count}"), SUBMIT),
    )


def _to_other_branch(bench: Workbench) -> Task:
    """The newest commits of the main branch were meant for a branch that has gone on."""
    trunk, topic = (f"refs/heads/{name}" for name in (bench.trunk(), bench.branch()))
    draft = bench.noise(Draft())
    fork = bench.commit(draft, bench.start)
    topic_draft = draft.with_lines(bench.change(bench.take()))
    topic_tip = bench.commit(topic_draft, fork)
    draft = draft.with_lines(bench.change(bench.take()))
    stay = bench.commit(draft, fork)
    tip, steps = stay, []
    for _ in range(count := bench.rng.randrange(2, 4)):
        change = bench.change(bench.take())
        draft, topic_draft = draft.with_lines(change), topic_draft.with_lines(change)
        tip = bench.commit(draft, tip)
        steps.append(step_like(bench, tip, bench.tree(topic_draft)))
    moved = Chain("moved", 0.4, topic, topic_tip, tuple(steps))
    return Task(
        base=bench.base.start,
        instruction=(
            f"The last {count} commits of `{short(trunk)}` should have been made on `{short(topic)}`. Move "
            f"them there: on top of what `{short(topic)}` has, in their order, with their messages and "
            f"authors. Take `{short(trunk)}` back to where it was before them."
        ),
        head=trunk,
        refs={trunk: tip, topic: topic_tip},
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            moved,
            Chain("messages", 0.1, topic, topic_tip, tuple(steps), has_subject),
            Chain("authors", 0.1, topic, topic_tip, tuple(steps), has_author),
            PointsAt("taken_back", 0.4, (trunk,), stay),
        ),
        guards=(Needs(moved), Keeps(topic, topic_tip), Clean()),
        solution=(
            git("checkout", short(topic)),
            git("cherry-pick", f"{stay}..{tip}"),
            git("branch", "-f", short(trunk), stay),
            SUBMIT,
        ),
    )


def _stack(bench: Workbench) -> Task:
    """Two branches, one on top of the other, were started from a branch that they do not need."""
    names = (bench.trunk(), bench.branch(), bench.branch(), bench.branch())
    trunk, other, lower, upper = (f"refs/heads/{name}" for name in names)
    draft = bench.noise(Draft())
    fork = bench.commit(draft, bench.start)
    trunk_draft = draft.with_lines(bench.change(bench.take()))
    trunk_tip = bench.commit(trunk_draft, fork)
    other_draft = draft.with_lines(bench.change(bench.take()))
    other_tip = bench.commit(other_draft, fork)
    places: list[Place] = [bench.take() for _ in range(4)]
    tips, steps, stacked, target = [other_tip], [], other_draft, trunk_draft
    for place in places:
        change = bench.change(place)
        stacked, target = stacked.with_lines(change), target.with_lines(change)
        tips.append(bench.commit(stacked, tips[-1]))
        steps.append(step_like(bench, tips[-1], bench.tree(target)))
    half = len(places) // 2
    refs = {trunk: trunk_tip, other: other_tip, lower: tips[half], upper: tips[-1]}
    return Task(
        base=bench.base.start,
        instruction=(
            f"The branch `{short(lower)}` was started from `{short(other)}`, which it does not need, and "
            f"`{short(upper)}` from `{short(lower)}`. Move both: `{short(lower)}` with its own commits onto "
            f"`{short(trunk)}`, and `{short(upper)}` with its own onto the new `{short(lower)}`. Messages, "
            f"authors and order stay; `{short(trunk)}` and `{short(other)}` stay where they are."
        ),
        head=trunk,
        refs=refs,
        objects=bench.objects.new,
        newest=bench.time,
        goals=(
            Chain("lower", 0.4, lower, trunk_tip, tuple(steps[:half])),
            Chain("upper", 0.4, upper, trunk_tip, tuple(steps)),
            Chain("messages", 0.1, upper, trunk_tip, tuple(steps), has_subject),
            Chain("authors", 0.1, upper, trunk_tip, tuple(steps), has_author),
        ),
        guards=(Unmoved({trunk: trunk_tip, other: other_tip}), Clean()),
        solution=(
            git("rebase", "--onto", short(trunk), short(other), short(lower)),
            git("rebase", "--onto", short(lower), tips[half], short(upper)),
            SUBMIT,
        ),
    )
