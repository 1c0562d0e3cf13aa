"""Sees to it that git never runs on a repository whose own configuration holds anything unexpected.

The policy leaves agents no way to write there; this is for the way that nobody thought of.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from git_env.server.policy.config_policy import is_expected
from git_env.server.policy.refusal import Refusal
from git_env.server.policy.workspace_paths import WORKSPACE
from git_env.server.session_sandbox import SCRATCH, SessionSandbox

_Stamp = tuple[int, ...]


class ConfigGuard:
    """Remembers which of a workspace's repositories were found to be harmless, until their file changes.

    Args:
        root: The real directory behind the workspace.
        sandbox: Where configurations are read.
    """

    def __init__(self, root: Path, sandbox: SessionSandbox) -> None:
        self._root = root
        self._sandbox = sandbox
        self._harmless: dict[str, _Stamp] = {}

    def forget(self) -> None:
        """Trust nothing any more."""
        self._harmless.clear()

    def trust(self, names: Iterable[str]) -> None:
        """Take repositories for harmless as they are: they were just made here, or copied.

        Raises:
            Refusal: One is no repository.
        """
        for name in names:
            self._harmless[name] = self._stamp(name)

    def trusted(self) -> frozenset[str]:
        """The repositories whose configuration is what it was when it was found to be harmless."""
        return frozenset(name for name, stamp in self._harmless.items() if self._still_is(name, stamp))

    def check(self, name: str) -> None:
        """Look at a repository's configuration, unless it is known.

        Raises:
            Refusal: It holds settings that no allowed command writes, or there is no repository any more.
        """
        stamp = self._stamp(name)
        if stamp == self._harmless.get(name):
            return
        file = self._sandbox.inside(f"{WORKSPACE}/{name}/.git/config")
        done = self._sandbox.run(
            ["git", "config", "--file", file, "--no-includes", "--list", "--name-only", "-z"],
            cwd=SCRATCH,
            environ={**self._sandbox.environ, "GIT_CEILING_DIRECTORIES": "/"},
        )
        unexpected = [key for key in done.stdout.split("\0") if key and not is_expected(key)]
        if done.exit_code or unexpected:
            raise Refusal(f"the configuration of {WORKSPACE}/{name} was tampered with; reset the environment")
        self._harmless[name] = stamp

    def _still_is(self, name: str, stamp: _Stamp) -> bool:
        try:
            return self._stamp(name) == stamp
        except Refusal:
            return False

    def _stamp(self, name: str) -> _Stamp:
        """Changes when the repository's configuration file does.

        Raises:
            Refusal: What is there is not a repository as this environment makes them.
        """
        git_dir = self._root / name / ".git"
        real = not git_dir.is_symlink() and git_dir.is_dir()
        if not real or (git_dir / "config").is_symlink() or os.path.lexists(git_dir / "commondir"):
            raise Refusal(f"{WORKSPACE}/{name} is no longer a repository; reset the environment")
        try:
            stat = (git_dir / "config").stat()
        except FileNotFoundError:
            return ()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
