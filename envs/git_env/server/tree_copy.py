"""Copies a tree that agents wrote, as data: nothing in it is run, and no link in it is followed.

The walk goes from descriptor to descriptor, so that it stays below its source whatever names lead where.
Times are kept, because git takes a file that has its time and size for unchanged.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from git_env.server.policy.refusal import Refusal

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LEAST_BYTES = 4096  # of an entry, so that a million empty files are not free
# No honest tree is as deep, and each level costs two descriptors.
_MAX_DEPTH = 100

Owner = tuple[int, int]


class TreeCopy:
    """One copy, made at once.

    Args:
        source: The tree.
        target: An existing, empty folder.
        shared: Folders, as parts below ``source``, whose read-only files are linked instead of copied: git
            writes its objects once, and never again.
        max_bytes: Bytes that the copy may take.
        owner: User and group to give it to; ``None`` leaves it this process's.

    Attributes:
        bytes: What it takes, links not counted as what they lead to.

    Raises:
        Refusal: It would take more than ``max_bytes``, or holds something that is neither file, folder nor
            symbolic link, or is nested far too deeply.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        *,
        shared: Collection[tuple[str, ...]] = (),
        max_bytes: int,
        owner: Owner | None = None,
    ) -> None:
        self.bytes = 0
        self._shared = shared
        self._max_bytes = max_bytes
        self._owner = owner
        with _opened(source, _FOLDER) as reading, _opened(target, _FOLDER) as writing:
            self._copy_entries(reading, writing, (), sharing=False)

    def _copy_entries(self, source: int, target: int, parts: tuple[str, ...], *, sharing: bool) -> None:
        if len(parts) > _MAX_DEPTH:
            raise Refusal(f"the workspace has folders nested more than {_MAX_DEPTH} deep")
        sharing = sharing or parts in self._shared
        with os.scandir(source) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    self._count(_LEAST_BYTES)
                    self._copy_folder(source, target, (*parts, entry.name), status, sharing=sharing)
                elif stat.S_ISREG(status.st_mode) and sharing and not status.st_mode & 0o222:
                    self._count(_LEAST_BYTES)
                    os.link(
                        entry.name,
                        entry.name,
                        src_dir_fd=source,
                        dst_dir_fd=target,
                        follow_symlinks=False,
                    )
                elif stat.S_ISREG(status.st_mode):
                    self._copy_file(source, target, entry.name)
                elif stat.S_ISLNK(status.st_mode):
                    self._count(_LEAST_BYTES)
                    self._copy_link(source, target, entry.name, status)
                else:
                    raise Refusal(f"{'/'.join((*parts, entry.name))} is neither file, folder nor link")

    def _copy_folder(
        self, source: int, target: int, parts: tuple[str, ...], status: os.stat_result, *, sharing: bool
    ) -> None:
        name = parts[-1]
        os.mkdir(name, 0o700, dir_fd=target)
        with _opened(name, _FOLDER, source) as reading, _opened(name, _FOLDER, target) as writing:
            self._copy_entries(reading, writing, parts, sharing=sharing)
            self._finish(writing, status)

    def _copy_file(self, source: int, target: int, name: str) -> None:
        with _opened(name, _SOURCE, source) as reading:
            status = os.fstat(reading)
            self._count(max(status.st_size, _LEAST_BYTES))
            with _opened(name, _TARGET, target) as writing:
                left = status.st_size
                while left and (sent := os.sendfile(writing, reading, None, left)):
                    left -= sent
                self._finish(writing, status)

    def _copy_link(self, source: int, target: int, name: str, status: os.stat_result) -> None:
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
        if self._owner is not None:
            os.chown(name, *self._owner, dir_fd=target, follow_symlinks=False)

    def _finish(self, descriptor: int, status: os.stat_result) -> None:
        """Give a copy its owner, its permissions (never set-uid) and its times, in this order."""
        if self._owner is not None:
            os.fchown(descriptor, *self._owner)
        os.fchmod(descriptor, status.st_mode & 0o777)
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self._max_bytes:
            raise Refusal(f"a copy of the workspace would take more than the {self._max_bytes} bytes left")


@contextmanager
def _opened(path: Path | str, flags: int, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
