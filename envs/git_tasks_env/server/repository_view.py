"""RepositoryView: what tasks are made from - commits of a repository to start at, files to edit.

Everything is a function of the repository's content, so that equal repositories give equal tasks anywhere.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from threading import Lock

from git_env.server.mirrors import Key, Mirror, StartingPoint
from git_env.server.policy.workspace_paths import is_git_directory_name
from git_env.server.trusted_git import TrustedGit
from git_tasks_env.server.object_process import ObjectProcess
from git_tasks_env.server.objects import EMPTY_TREE, read_commit
from git_tasks_env.server.sheet import MAX_BYTES, MIN_BYTES, Sheet, make_sheet

_BASES = 4
_MAX_COMMITS = 1_000
_MAX_SHEETS = 24
_MAX_LOOKED_AT = 96
_REGULAR = ("100644", "100755")
# What a command line, and git's own patterns, take literally; a hidden file may be a program's settings.
_PLAIN = re.compile(r"[\w][\w .+@=,~-]*\Z")


@dataclass(frozen=True)
class Base:
    """A commit that tasks build on.

    Attributes:
        start: For the checkouts.
        commit: Its name; None in a repository without commits.
        tree: Its tree.
        time: When it was made.
        sheets: Files that can be edited, in an order of no meaning.
        paths: Every path of a file or directory.
    """

    start: StartingPoint
    commit: str | None
    tree: str
    time: int
    sheets: tuple[Sheet, ...]
    paths: frozenset[str]


class RepositoryView:
    """One repository as of one state of its mirror. Thread-safe.

    Args:
        git: Runs git on the mirror.
        tip: The default branch.

    Attributes:
        git: As given.
        mirror: The mirror.
        objects: Reads its objects.
        starts: The commits that tasks build on.
    """

    def __init__(self, git: TrustedGit, tip: StartingPoint) -> None:
        self.git = git
        self.mirror: Mirror = tip.mirror
        self._lock = Lock()
        self._bases: dict[Key, Base] = {}
        self._commits = self._first_parents(tip)
        newer = self._commits[: max(1, len(self._commits) // 2)]
        few = newer[:: max(1, len(newer) // _BASES)][:_BASES]
        self.starts = [StartingPoint(self.mirror, name, None, name) for name in few] or [tip]
        self._closing = ExitStack()
        pipes = self._closing.enter_context(git.popen(["cat-file", "--batch"], git_dir=self.mirror.path))
        self.objects = ObjectProcess(*pipes)

    def close(self) -> None:
        """End the process that reads objects."""
        self._closing.close()

    def choose_base(self, rng: random.Random) -> Base:
        """Draw one of a few commits of the default branch, spread over its newer half."""
        start = rng.choice(self.starts)
        with self._lock:
            if start.key not in self._bases:
                self._bases[start.key] = self._read_base(start)
            return self._bases[start.key]

    def ancestor(self, commit: str, count: int) -> str | None:
        """The commit so many before another on the default branch; None where there are not so many."""
        place = self._commits.index(commit) + count
        return self._commits[place] if place < len(self._commits) else None

    def _first_parents(self, tip: StartingPoint) -> Sequence[str]:
        if tip.commit is None:
            return ()
        argv = ["rev-list", "--first-parent", f"--max-count={_MAX_COMMITS}", tip.commit]
        return self.git.run(argv, git_dir=self.mirror.path).split()

    def _read_base(self, start: StartingPoint) -> Base:
        name = start.commit
        if name is None:
            return Base(start, None, EMPTY_TREE, self.mirror.newest, (), frozenset())
        commit = read_commit(self.objects, name)
        listing = self.git.run(["ls-tree", "-r", "-l", "-z", "--full-tree", name], git_dir=self.mirror.path)
        files = [_Listed.read(line) for line in listing.split("\0") if line]
        paths = frozenset(path for file in files for path in _with_parents(file.path))
        return Base(start, name, commit.tree, commit.committer.time, self._sheets(name, files), paths)

    def _sheets(self, name: str, files: Sequence[_Listed]) -> tuple[Sheet, ...]:
        candidates = [file for file in files if file.is_editable]
        random.Random(name).shuffle(candidates)
        sheets: list[Sheet] = []
        for file in candidates[:_MAX_LOOKED_AT]:
            sheet = make_sheet(file.path, file.mode, self.objects.read(file.blob)[1])
            if sheet is not None:
                sheets.append(sheet)
                if len(sheets) == _MAX_SHEETS:
                    break
        return tuple(sheets)


@dataclass(frozen=True)
class _Listed:
    mode: str
    blob: str
    size: int
    path: str

    @classmethod
    def read(cls, line: str) -> _Listed:
        about, _, path = line.partition("\t")
        mode, _, blob, size = about.split()
        return cls(mode, blob, int(size) if size.isdecimal() else 0, path)

    @property
    def is_editable(self) -> bool:
        parts = PurePosixPath(self.path).parts
        plain = all(_PLAIN.match(part) and not is_git_directory_name(part) for part in parts)
        return plain and self.mode in _REGULAR and MIN_BYTES <= self.size <= MAX_BYTES


def _with_parents(path: str) -> Sequence[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
