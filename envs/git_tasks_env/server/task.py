"""Task: one thing to do in one repository, complete: where it starts, what is asked, how it is graded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from git_env.server.mirrors import StartingPoint
from git_tasks_env.models import Difficulty, GitTaskAction, Kind
from git_tasks_env.server.grading.goals import Goal, Guard
from git_tasks_env.server.objects import Signature
from git_tasks_env.server.pack import encode_pack


@dataclass(frozen=True)
class TaskSpec:
    """Names a task. Equal specs are equal tasks wherever the repository is the same.

    Attributes:
        split: A part of all tasks.
        index: The place in it.
        kind: What is to be done.
        difficulty: How hard it is made.
        repository: Which repository, as ``owner/name``; None for one that the index decides.
    """

    split: str
    index: int
    kind: Kind
    difficulty: Difficulty
    repository: str | None = None

    @property
    def task_id(self) -> str:
        """``split/index``."""
        return f"{self.split}/{self.index}"


@dataclass(frozen=True)
class LogEntry:
    """A line of a reflog.

    Attributes:
        old: Where the reference was.
        new: Where it went.
        who: Who moved it, and when.
        reason: Why, in git's words.
    """

    old: str
    new: str
    who: Signature
    reason: str


@dataclass(frozen=True)
class Task:
    """What a generator makes.

    Attributes:
        base: The checkout that the task's own history is laid over.
        instruction: What the agent is told.
        head: The reference that is checked out.
        refs: The branches, by full name.
        objects: Kind and content of new objects, by name.
        newest: When the newest commit was made, in seconds since 1970; the agent's own follow.
        goals: What earns the score.
        guards: What takes from it.
        solution: Actions that reach 1.0.
        reflogs: By full name, ``HEAD`` among them; where there is none, the reference was just made.
        script: A program of the repository that the agent may run; None for none.
    """

    base: StartingPoint
    instruction: str
    head: str
    refs: Mapping[str, str]
    objects: Mapping[str, tuple[str, bytes]] = field(repr=False)
    newest: int
    goals: tuple[Goal, ...]
    guards: tuple[Guard, ...]
    solution: tuple[GitTaskAction, ...]
    reflogs: Mapping[str, Sequence[LogEntry]] = field(default_factory=dict)
    script: str | None = None

    @cached_property
    def pack(self) -> tuple[bytes, bytes]:
        """The new objects as a pack and its index."""
        return encode_pack(self.objects)
