"""A process and all its descendants, as Linux's /proc shows them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """What a tree of processes holds.

    Attributes:
        processes: Living processes.
        threads: Their threads.
        descriptors: Their open files, sockets and pipes.
    """

    processes: int
    threads: int
    descriptors: int

    def fits(self, allowed: Usage) -> bool:
        """Whether nothing is more than allowed."""
        return all(held <= limit for held, limit in zip(self, allowed, strict=True))


def children(pid: int) -> set[int]:
    """The processes that one has started, or taken in, and has not reaped; none of one that has ended."""
    found: set[int] = set()
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return found
    for thread in threads:
        # The children of a thread that has just ended are another one's now.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(map(int, (thread / "children").read_text().split()))
    return found


def descendants(pid: int) -> set[int]:
    """The process's children, their children, and so on; those that end meanwhile may be missing."""
    found: set[int] = set()
    parents = [pid]
    while parents:
        new = children(parents.pop()) - found
        found |= new
        parents.extend(new)
    return found


def usage(pid: int) -> Usage:
    """Count what the descendants of a process hold."""
    processes = threads = descriptors = 0
    for member in descendants(pid):
        try:
            threads += _entries(f"/proc/{member}/task")
            descriptors += _entries(f"/proc/{member}/fd")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        processes += 1
    return Usage(processes, threads, descriptors)


def living(pids: set[int]) -> set[int]:
    """Which of the processes exist, zombies aside."""
    return {pid for pid in pids if _state(pid) not in (None, "Z")}


def _entries(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
