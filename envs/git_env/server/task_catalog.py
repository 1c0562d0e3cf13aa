"""TaskCatalog: the tasks of TASK_REPOS, by name, by index, or drawn at random."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from git_env.server.settings import Task
from openenv_gym.errors import InvalidActionError

SPLIT = "train"


class TaskCatalog:
    """One split of tasks, in the order of TASK_REPOS.

    Args:
        tasks: By name.
    """

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        self._tasks = dict(tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def splits(self) -> list[str]:
        """The names of the splits: one, or none without tasks."""
        return [SPLIT] if self._tasks else []

    def specs(self, split: str) -> list[dict[str, Any]]:
        """What each task of a split is.

        Raises:
            InvalidActionError: There is no such split.
        """
        if split not in self.splits():
            known = ", ".join(self.splits()) or "none: TASK_REPOS is not set"
            raise InvalidActionError(f"no split {split!r}; splits: {known}")
        return [
            {"task_id": task.name, "repository": task.repository, "ref": task.ref}
            for task in self._tasks.values()
        ]

    def choose(
        self, task_id: str | None, split: str | None, index: int | None, rng: random.Random
    ) -> Task | None:
        """The task an episode starts from.

        Args:
            task_id: By name.
            split: By place in a split; goes with ``index``.
            index: By place.
            rng: Draws one where nothing is asked for.

        Returns:
            The task; None where there are none and none was asked for.

        Raises:
            InvalidActionError: There is no such task; the message names those there are.
        """
        if task_id is not None:
            return self._named(task_id)
        if split is not None or index is not None:
            specs = self.specs(split or SPLIT)
            if index is None or not 0 <= index < len(specs):
                raise InvalidActionError(f"index must be 0 to {len(specs) - 1} in split {split or SPLIT!r}")
            return self._named(specs[index]["task_id"])
        return self._tasks[rng.choice(sorted(self._tasks))] if self._tasks else None

    def _named(self, task_id: str) -> Task:
        task = self._tasks.get(task_id)
        if task is None:
            known = ", ".join(sorted(self._tasks)) or "none: TASK_REPOS is not set"
            raise InvalidActionError(f"no task {task_id!r}; tasks: {known}")
        return task
