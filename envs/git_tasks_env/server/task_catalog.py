"""TaskCatalog: the splits, and which kind and difficulty each of their tasks has."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, get_args

from git_tasks_env.models import Difficulty, Kind
from git_tasks_env.server.task import TaskSpec
from openenv_gym.errors import InvalidActionError

KINDS: tuple[Kind, ...] = get_args(Kind)
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)
# Each a multiple of all combinations, so that every split has equally many of each.
_ROUND = len(KINDS) * len(DIFFICULTIES)
SIZES = {"train": 1_000 * _ROUND, "validation": 10 * _ROUND, "test": 10 * _ROUND}
_MAX_LISTED = 1_000


def task_seed(spec: TaskSpec) -> str:
    """What seeds a task's generator: no two splits have one in common."""
    return f"{spec.split}/{spec.index}"


def spec_at(split: str, index: int, repository: str | None = None) -> TaskSpec:
    """The task at a place.

    Raises:
        InvalidActionError: There is no such split.
        IndexError: The split has no such place.
    """
    size = split_size(split)
    if not 0 <= index < size:
        raise IndexError(f"index must be 0 to {size - 1} in split {split!r}, not {index}")
    return TaskSpec(
        split,
        index,
        KINDS[index % len(KINDS)],
        DIFFICULTIES[index // len(KINDS) % len(DIFFICULTIES)],
        repository,
    )


def split_size(split: str) -> int:
    """How many tasks a split has.

    Raises:
        InvalidActionError: There is no such split.
    """
    if split not in SIZES:
        raise InvalidActionError(f"no split {split!r}; splits: {', '.join(SIZES)}")
    return SIZES[split]


def draw_spec(
    rng: random.Random,
    *,
    split: str | None = None,
    index: int | None = None,
    kind: str | None = None,
    difficulty: str | None = None,
    repository: str | None = None,
) -> TaskSpec:
    """The task that a reset asks for; what it leaves open is drawn.

    Raises:
        InvalidActionError: There is no such task; the message says what there is.
    """
    _check("kind", kind, KINDS)
    _check("difficulty", difficulty, DIFFICULTIES)
    split = split or "train"
    size = split_size(split)
    if index is None:
        index = rng.randrange(size // _ROUND) * _ROUND
        index += DIFFICULTIES.index(difficulty or rng.choice(DIFFICULTIES)) * len(KINDS)
        index += KINDS.index(kind or rng.choice(KINDS))
    try:
        spec = spec_at(split, index, repository)
    except IndexError as error:
        raise InvalidActionError(str(error)) from None
    if (kind or spec.kind, difficulty or spec.difficulty) != (spec.kind, spec.difficulty):
        raise InvalidActionError(
            f"task {spec.task_id} is {spec.kind}, {spec.difficulty}; name a place, or a kind and difficulty"
        )
    return spec


def describe(spec: TaskSpec) -> dict[str, Any]:
    """A task as the task routes show it."""
    return {
        "task_id": spec.task_id,
        "split": spec.split,
        "index": spec.index,
        "kind": spec.kind,
        "difficulty": spec.difficulty,
    }


def describe_range(split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, Any]]:
    """The tasks of a slice of a split, at most a thousand."""
    places = range(split_size(split))[start:stop][:_MAX_LISTED]
    return [describe(spec_at(split, index)) for index in places]


def _check(name: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        raise InvalidActionError(f"no {name} {value!r}; there are: {', '.join(known)}")
