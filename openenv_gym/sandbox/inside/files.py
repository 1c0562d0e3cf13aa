"""Read and write one file below a root, never leaving it through a symbolic link.

Paths are walked one component at a time with ``O_NOFOLLOW``; links are followed by hand as long as they stay
below the root, so that a program which swaps a folder for a link in mid-walk gains nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable

_MAX_LINKS = 20
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def read_file(root: str, relative: str, forbidden: Iterable[str], max_bytes: int) -> bytes:
    """The content of a regular file of at most ``max_bytes`` bytes.

    Raises:
        OSError: As `open` does; EACCES when the path leaves the root or has a forbidden component,
            EFBIG when the file is larger, EINVAL when it is no regular file.
    """
    with _Walk(root, forbidden) as walk:
        name, status = walk.to(relative)
        if status is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        _require_regular(status)
        # Not blocking: somebody may have put a FIFO there since.
        descriptor = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=walk.directory
        )
    with open(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor))
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"the file is larger than {max_bytes} bytes")
    return data


def write_file(root: str, relative: str, forbidden: Iterable[str], data: bytes) -> None:
    """Put ``data`` into a file, creating it and its parent folders or replacing it in one step.

    A new file replaces the old one under its name, with the old one's permissions: what else was linked
    to the old one keeps its content.

    Raises:
        OSError: As for `read_file`.
    """
    with _Walk(root, forbidden) as walk:
        name, status = walk.to(relative, create_folders=True)
        if status is not None:
            _require_regular(status)
        temporary = f".write-{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o644, dir_fd=walk.directory)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                if status is not None:
                    os.fchmod(descriptor, status.st_mode & 0o777)
            os.replace(temporary, name, src_dir_fd=walk.directory, dst_dir_fd=walk.directory)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=walk.directory)
            raise


class _Walk:
    """The folders from the root to where the walk stands, as open descriptors."""

    def __init__(self, root: str, forbidden: Iterable[str]) -> None:
        self._forbidden = {name.casefold() for name in forbidden}
        self._folders = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]

    def __enter__(self) -> _Walk:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._folders:
            os.close(descriptor)

    @property
    def directory(self) -> int:
        """The folder that holds the last component."""
        return self._folders[-1]

    def to(self, relative: str, *, create_folders: bool = False) -> tuple[str, os.stat_result | None]:
        """Walk to ``relative``; return its last component's name and status, None if it does not exist.

        The root itself has the name ``"."``.
        """
        pending = relative.split("/")[::-1]
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                self._up()
                continue
            if part.casefold() in self._forbidden:
                raise OSError(errno.EACCES, f"paths through {part!r} are refused")
            is_last = not any(rest not in ("", ".") for rest in pending)
            status, link = self._enter(part, create=create_folders and not is_last)
            if link is not None:
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if link.startswith("/"):
                    raise OSError(errno.EACCES, "an absolute symbolic link is not followed")
                pending += link.split("/")[::-1]
            elif is_last and (status is None or not stat.S_ISDIR(status.st_mode)):
                return part, status
            elif status is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            elif not stat.S_ISDIR(status.st_mode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return ".", os.fstat(self.directory)

    def _up(self) -> None:
        if len(self._folders) == 1:
            raise OSError(errno.EACCES, "the path leads out of its folder")
        os.close(self._folders.pop())

    def _enter(self, part: str, *, create: bool) -> tuple[os.stat_result | None, str | None]:
        """Look at one component, step into it if it is a folder: ``(status, link target)``."""
        try:
            descriptor = os.open(part, _STEP, dir_fd=self.directory)
        except FileNotFoundError:
            if not create:
                return None, None
            with contextlib.suppress(FileExistsError):  # a program was quicker; look at what it made
                os.mkdir(part, 0o755, dir_fd=self.directory)
            descriptor = os.open(part, _STEP, dir_fd=self.directory)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self._folders.append(descriptor)
            return status, None
        try:
            return status, os.readlink("", dir_fd=descriptor) if stat.S_ISLNK(status.st_mode) else None
        finally:
            os.close(descriptor)


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
