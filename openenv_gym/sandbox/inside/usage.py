"""What a sandbox takes of disk and memory, measured where the kernel has no limit for the whole of it."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import time
from collections.abc import Iterable, Sequence

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIN_INTERVAL = 0.25
_LONGEST_UNCHECKED = 5.0
# No honest tree is as deep, and each level costs a descriptor.
_MAX_DEPTH = 200
_HIDDEN = 1 << 62
# An empty file takes an inode, which is memory where the folder is.
_ENTRY_BYTES = 1 << 10
# Measuring may take this part of a running program's time.
_MAX_SHARE = 0.05


class DiskUsage:
    """Bytes below the writable folders, measured as seldom as the limit allows.

    Between two measurements an upper bound is kept: what programs wrote since is what the kernel counted for
    those that have ended. Ways round that count exist, so the real measurement is also repeated by time.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._bytes = 0
        self._written_before = 0
        self._measured_at: float | None = None
        self._cost = 0.0

    def over(self, limit: int, *, running: bool) -> bool:
        """Whether the folders hold more than ``limit`` bytes.

        Args:
            limit: Bytes.
            running: A program is running now, and its writes are not counted yet.
        """
        if not self._folders:
            return False
        age = float("inf") if self._measured_at is None else time.monotonic() - self._measured_at
        patience = max(_MIN_INTERVAL, self._cost / _MAX_SHARE) if running else _LONGEST_UNCHECKED
        if age > patience or self._bytes + _written() - self._written_before > limit:
            self._measure()
        return self._bytes > limit

    def _measure(self) -> None:
        started = time.monotonic()
        self._written_before = _written()
        self._bytes = sum(_tree_bytes(folder) for folder in self._folders)
        self._measured_at = time.monotonic()
        self._cost = self._measured_at - started


def _written() -> int:
    """Bytes that ended programs wrote to disk (the kernel counts blocks of 512)."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock * 512


def _tree_bytes(name: str, parent: int | None = None, depth: int = 0) -> int:
    """Bytes in a folder and all below it; `_HIDDEN` when something there cannot be looked into.

    From descriptor to descriptor and never through a link: programs may be moving things meanwhile.
    """
    if depth > _MAX_DEPTH:
        return _HIDDEN
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        return 0 if gone else _HIDDEN
    total = 0
    folders = []
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    blocks = entry.stat(follow_symlinks=False).st_blocks
                    total += max(blocks * 512, _ENTRY_BYTES)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
        return total + sum(_tree_bytes(folder, descriptor, depth + 1) for folder in folders)
    finally:
        os.close(descriptor)


def memory_over(limit: int, ignored: Iterable[int]) -> bool:
    """Whether the processes in this one's ``/proc`` hold more than ``limit`` bytes of memory together.

    For a process that is alone in its pid namespace with what it started. ``ignored`` are ids left out.
    """
    skipped = {str(pid) for pid in ignored}
    pids = [name for name in os.listdir("/proc") if name.isdigit() and name not in skipped]
    if sum(_resident_bytes(pid) for pid in pids) <= limit:
        return False
    # Forked processes share pages, which the cheap sum counts once for each.
    return sum(_proportional_bytes(pid) for pid in pids) > limit


def _resident_bytes(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            _size, resident, shared, *_ = file.read().split()
    except OSError:
        return 0  # it has ended
    return (int(resident) - int(shared)) * _PAGE


def _proportional_bytes(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except OSError:
        return _resident_bytes(pid)
