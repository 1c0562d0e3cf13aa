"""EndState: what grading looks at - references, objects, whether the tree is clean - and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from git_tasks_env.server.objects import Commit, MalformedObjectError, ObjectReader, read_commit


@dataclass(frozen=True)
class EndState:
    """A repository as it is when it is graded.

    Attributes:
        refs: What branches and tags lead to, tags peeled, by full name.
        objects: Reads the objects behind them.
        clean: Nothing that git tracks is modified, staged or in conflict.
    """

    refs: Mapping[str, str]
    objects: ObjectReader
    clean: bool = True

    def commit(self, name: str) -> Commit:
        """A commit by name.

        Raises:
            MalformedObjectError: There is none.
        """
        return read_commit(self.objects, name)

    def tip(self, ref: str) -> tuple[str, Commit] | None:
        """What a branch leads to; None where there is no such branch, or no commit behind it."""
        name = self.refs.get(ref)
        try:
            return None if name is None else (name, self.commit(name))
        except MalformedObjectError:
            return None

    def first_parents(self, tip: str, base: str, limit: int) -> list[tuple[str, Commit]] | None:
        """The commits after ``base`` up to ``tip``, oldest first.

        Returns:
            None where ``base`` is not reached within ``limit`` commits.
        """
        found: list[tuple[str, Commit]] = []
        name = tip
        while name != base:
            if len(found) == limit:
                return None
            commit = self.commit(name)
            found.append((name, commit))
            if not commit.parents:
                return None
            name = commit.parents[0]
        return found[::-1]

    def descends(self, tip: str, from_commit: str, limit: int = 1_000) -> bool:
        """Whether one commit is an ancestor of, or is, another, as far as ``limit`` commits tell."""
        pending, seen = [tip], {tip}
        while pending and len(seen) <= limit:
            name = pending.pop(0)
            if name == from_commit:
                return True
            for parent in self.commit(name).parents:
                if parent not in seen:
                    seen.add(parent)
                    pending.append(parent)
        return False
