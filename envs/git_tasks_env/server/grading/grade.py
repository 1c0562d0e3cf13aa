"""The score of an episode, from its task's goals and guards."""

from __future__ import annotations

from dataclasses import dataclass

from git_tasks_env.server.grading.end_state import EndState
from git_tasks_env.server.grading.goals import Goal
from git_tasks_env.server.objects import MalformedObjectError, ObjectReader, ObjectStore
from git_tasks_env.server.task import Task


@dataclass(frozen=True)
class Grade:
    """What an episode is worth.

    Attributes:
        score: From 0 to 1.
        components: How far each goal is reached, and 1 or 0 for each guard.
        problem: Why the repository could not be graded; "" where it could.
    """

    score: float
    components: dict[str, float]
    problem: str = ""


def grade(task: Task, end: EndState, repository: ObjectReader) -> Grade:
    """Grade a repository.

    What holds from the start earns nothing: the score is the share of the way from there to the goals.

    Args:
        task: What was asked for.
        end: What the repository is now.
        repository: The objects that the task builds on.
    """
    objects = ObjectStore(repository)
    objects.new.update(task.objects)
    start = EndState(task.refs, objects)
    try:
        reached = {goal.name: goal.measure(end) for goal in task.goals}
        held = {guard.name: guard.holds(end) for guard in task.guards}
    except MalformedObjectError as error:
        return Grade(0.0, {}, f"the history cannot be read: {error}")
    already = _sum(task.goals, {goal.name: goal.measure(start) for goal in task.goals})
    progress = max(0.0, (_sum(task.goals, reached) - already) / (1.0 - already))
    for guard in task.guards:
        progress *= 1.0 if held[guard.name] else guard.factor
    components = {**reached, **{name: float(kept) for name, kept in held.items()}}
    return Grade(round(progress, 6), components)


def _sum(goals: tuple[Goal, ...], measures: dict[str, float]) -> float:
    return sum(goal.weight * measures[goal.name] for goal in goals)
