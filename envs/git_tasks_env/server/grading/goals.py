"""What a task asks for, as values: goals, which earn the score, and guards, which take from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from git_tasks_env.server.grading.end_state import EndState
from git_tasks_env.server.objects import Commit, Signature, changed_paths

# The branch or tag in which an agent says which commit was asked for; a number may follow.
ANSWER = "answer"


class Goal(Protocol):
    """Something to be reached."""

    @property
    def name(self) -> str:
        """What it is called among the score's components."""

    @property
    def weight(self) -> float:
        """Its part of the score; those of a task add up to 1."""

    def measure(self, end: EndState) -> float:
        """How far it is reached, from 0 to 1.

        Raises:
            MalformedObjectError: The history cannot be read.
        """


class Guard(Protocol):
    """Something that must hold."""

    @property
    def name(self) -> str:
        """What it is called among the score's components."""

    @property
    def factor(self) -> float:
        """What is left of the score where it does not hold."""

    def holds(self, end: EndState) -> bool:
        """Whether it holds.

        Raises:
            MalformedObjectError: The history cannot be read.
        """


@dataclass(frozen=True)
class PointsAt:
    """A branch or tag leads to one commit.

    Attributes:
        refs: Where the commit is looked for; the first that exists counts.
        commit: The one commit.
        near: What other commits are worth.
    """

    name: str
    weight: float
    refs: tuple[str, ...]
    commit: str
    near: Mapping[str, float] = field(default_factory=dict)

    def measure(self, end: EndState) -> float:
        """1 at the commit, what `near` says elsewhere."""
        found = next((end.refs[ref] for ref in self.refs if ref in end.refs), "")
        return 1.0 if found == self.commit else self.near.get(found, 0.0)


@dataclass(frozen=True)
class Step:
    """A commit that a branch must have; what is None is free.

    Attributes:
        tree: The state of all files after it.
        subject: The first line of its message.
        author: Name and e-mail address, and the time.
        merged: Its parents besides the first.
    """

    tree: str
    subject: str | None = None
    author: Signature | None = None
    merged: tuple[str, ...] = ()

    def is_in(self, commit: Commit) -> bool:
        """Whether a commit has the files and the parents asked for."""
        return commit.tree == self.tree and commit.parents[1:] == self.merged


Aspect = Callable[[Step, Commit], bool]


def has_files(step: Step, commit: Commit) -> bool:
    """The files are as they should be: said by the alignment already."""
    return True


def has_subject(step: Step, commit: Commit) -> bool:
    """The message begins as it should."""
    return step.subject is None or commit.subject == step.subject


def has_author(step: Step, commit: Commit) -> bool:
    """The author is who it should be."""
    wanted, found = step.author, commit.author
    return wanted is None or (found.name, found.email) == (wanted.name, wanted.email)


def has_date(step: Step, commit: Commit) -> bool:
    """The author's date is what it should be."""
    wanted, found = step.author, commit.author
    return wanted is None or (found.time, found.zone) == (wanted.time, wanted.zone)


@dataclass(frozen=True)
class Chain:
    """A branch consists of given commits on top of another one.

    Attributes:
        ref: The branch.
        base: What the commits stand on.
        steps: The commits, oldest first.
        aspect: What is looked at in commits that have the right files.
    """

    name: str
    weight: float
    ref: str
    base: str
    steps: tuple[Step, ...]
    aspect: Aspect = has_files

    def measure(self, end: EndState) -> float:
        """The share of commits that are right, in order; commits too many count against it."""
        tip = end.refs.get(self.ref)
        chain = end.first_parents(tip, self.base, 2 * len(self.steps) + 8) if tip else None
        if not chain:
            return 0.0
        pairs = _aligned(self.steps, [commit for _, commit in chain])
        right = sum(self.aspect(step, commit) for step, commit in pairs)
        return right / max(len(self.steps), len(chain))


@dataclass(frozen=True)
class Files:
    """The files of a branch are in a given state.

    Attributes:
        ref: The branch.
        before: The tree that it had.
        after: The tree that it should have.
    """

    name: str
    weight: float
    ref: str
    before: str
    after: str

    def measure(self, end: EndState) -> float:
        """The share of files that had to change and did, rightly; files changed besides count against it."""
        tip = end.tip(self.ref)
        if tip is None:
            return 0.0
        wanted = changed_paths(end.objects, self.before, self.after)
        wrong = changed_paths(end.objects, self.after, tip[1].tree)
        besides = sum(path not in wanted for path in wrong)
        return sum(path not in wrong for path in wanted) / (len(wanted) + besides)


@dataclass(frozen=True)
class MergeOf:
    """The newest commit of a branch has given parents, in this order."""

    name: str
    weight: float
    ref: str
    parents: tuple[str, ...]

    def measure(self, end: EndState) -> float:
        """1 or 0."""
        tip = end.tip(self.ref)
        return float(tip is not None and tip[1].parents == self.parents)


@dataclass(frozen=True)
class Unmoved:
    """Branches and tags lead where they did."""

    refs: Mapping[str, str]
    factor: float = 0.5
    name: str = "other_branches_untouched"

    def holds(self, end: EndState) -> bool:
        """Whether none was moved or removed."""
        return all(end.refs.get(ref) == commit for ref, commit in self.refs.items())


@dataclass(frozen=True)
class Keeps:
    """A branch still has a commit in its history."""

    ref: str
    commit: str
    factor: float = 0.25
    name: str = "history_kept"

    def holds(self, end: EndState) -> bool:
        """Whether the branch was only added to."""
        tip = end.refs.get(self.ref)
        return tip is not None and end.descends(tip, self.commit)


@dataclass(frozen=True)
class Needs:
    """Something is reached without which the rest is a loss: commits are safe before they are taken away."""

    goal: Goal
    factor: float = 0.2
    name: str = "nothing_lost"

    def holds(self, end: EndState) -> bool:
        """Whether the goal is reached in full."""
        return self.goal.measure(end) == 1.0


@dataclass(frozen=True)
class Clean:
    """Nothing is left half done in the working tree."""

    factor: float = 0.9
    name: str = "clean"

    def holds(self, end: EndState) -> bool:
        """Whether git has nothing to report of the files that it tracks."""
        return end.clean


def _aligned(steps: Sequence[Step], commits: Sequence[Commit]) -> list[tuple[Step, Commit]]:
    """The longest common subsequence of what should be and what is."""
    longest: list[list[list[tuple[Step, Commit]]]] = [[[] for _ in range(len(commits) + 1)]]
    for step in steps:
        row: list[list[tuple[Step, Commit]]] = [[]]
        for place, commit in enumerate(commits):
            above, left, corner = longest[-1][place + 1], row[-1], longest[-1][place]
            best = max(above, left, key=len)
            both = [*corner, (step, commit)] if step.is_in(commit) else best
            row.append(max(best, both, key=len))
        longest.append(row)
    return longest[-1][-1]
