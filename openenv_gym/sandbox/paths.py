"""A sandbox's three names for a place: the owner's, the programs', the host's."""

from __future__ import annotations

import errno
from pathlib import Path

from openenv_gym.errors import UsageError
from openenv_gym.sandbox.spec import PRIVATE_FOLDER, SandboxSpec


class PathMap:
    """Translates target paths (how a spec names places).

    Args:
        spec: The sandbox.
        mounted: Programs see mounts at their targets; otherwise they see the host's own paths.
        private: The host's folder behind ``/tmp``; None when it exists only inside.
    """

    def __init__(self, spec: SandboxSpec, *, mounted: bool, private: Path | None) -> None:
        self._workdir = spec.workdir
        self._mounted = mounted
        self._writable = {mount.target: mount.writable for mount in spec.mounts} | {PRIVATE_FOLDER: True}
        self._sources: dict[str, Path | None] = {mount.target: mount.source for mount in spec.mounts}
        self._sources[PRIVATE_FOLDER] = private

    @property
    def writable_inside(self) -> list[str]:
        """The writable places, as programs name them."""
        return [self.inside(target) for target, writable in self._writable.items() if writable]

    @property
    def all_inside(self) -> list[str]:
        """Every place, as programs name it."""
        return [self.inside(target) for target in self._writable]

    def inside(self, path: str) -> str:
        """``path`` as programs name it. A path below no mount is a system path, the same everywhere."""
        path = self._absolute(path)
        found = self._find(path)
        if self._mounted or found is None:
            return path
        target, relative = found
        return f"{self._sources[target]}/{relative}".rstrip("/")

    def outside(self, path: str) -> Path:
        """``path`` on the host.

        Raises:
            UsageError: The host has no such place.
        """
        found = self._find(self._absolute(path))
        if found is None:
            raise UsageError(f"{path!r} is below none of the sandbox's mounts: {', '.join(self._writable)}")
        target, relative = found
        source = self._sources[target]
        if source is None:
            raise UsageError(f"{path!r} exists only inside the sandbox")
        return source / relative if relative else source

    def split(self, path: str, *, write: bool) -> tuple[str, str]:
        """The place that holds ``path``, as programs name it, and the rest of the path.

        Raises:
            UsageError: It holds a null character.
            PermissionError: It is below no mount, or is to be written below a read-only one.
        """
        found = self._find(self._absolute(path))
        if found is None:
            raise PermissionError(errno.EACCES, "the path is below none of the sandbox's mounts", path)
        target, relative = found
        if write and not self._writable[target]:
            raise PermissionError(errno.EACCES, f"{target} is read-only", path)
        return self.inside(target), relative

    def _absolute(self, path: str) -> str:
        if "\0" in path:
            raise UsageError("a path cannot hold a null character")
        return path if path.startswith("/") else f"{self._workdir}/{path}"

    def _find(self, path: str) -> tuple[str, str] | None:
        # Compared as text: what follows a target is walked inside, where `..` cannot leave the mount.
        for target in sorted(self._writable, key=len, reverse=True):
            if path == target or path.startswith(target + "/"):
                return target, path[len(target) + 1 :]
        return None
