"""What one browser needs on disk: how it is started, where it writes, and what ends it with its owner."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from browsergym_env.server.confinement import Confinement
from openenv_gym.providers import guard
from openenv_gym.sandbox.identity import Identity

_PREFIX = "openenv-gym-browser-"
_LIFELINE = "lifeline"
_GUARD_GRACE = "0.5"  # seconds
_ABANDONED_AFTER = 60.0  # seconds: a younger folder may be one that is being made


class BrowserFolder:
    """A temporary folder that is gone with its owner, however that ends; `close` it.

    It is the owner's, so that the browser cannot change how it is started; ``home`` inside is the browser's.

    Args:
        identity: Whom the browser runs as.

    Attributes:
        path: The folder.
        home: Where the browser may write.
        launcher: The program that Playwright takes for the browser, once `write_launcher` wrote it.
    """

    def __init__(self, identity: Identity) -> None:
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self.path.chmod(0o711)
        self.home = self.path / "home"
        self.home.mkdir(mode=0o700)
        identity.take_over(self.home)
        self.launcher = self.path / "launcher"
        lifeline = self.path / _LIFELINE
        os.mkfifo(lifeline, 0o600)
        # Its other end is the guard's. This end is closed when this process ends, however that happens.
        self._lifeline: int | None = os.open(lifeline, os.O_RDWR | os.O_CLOEXEC)

    def write_launcher(self, executable: Path, confinement: Confinement) -> None:
        """Write the program that starts the browser.

        Playwright starts browsers in a session of their own, out of reach of whoever kills this process's
        group. So the browser runs under the guard, which ends it when the lifeline does.
        """
        quoted = shlex.quote
        folder, lifeline = quoted(str(self.path)), quoted(str(self.path / _LIFELINE))
        guarded = [sys.executable, "-I", "-S", guard.__file__, "9", _GUARD_GRACE, "3,4"]
        command = [*guarded, *confinement.command, str(executable)]
        lines = [
            "#!/bin/sh",
            "trap '' PIPE",  # the shell tells of killed programs, to a Playwright that may be gone
            f"exec 9<{lifeline}",
            # The last of several equal switches counts: Playwright has one of its own.
            f'{shlex.join(command)} "$@" {quoted(f"--user-data-dir={confinement.home}/profile")}',
            "status=$?",
            # Read without waiting, it is at its end where the owner is gone, and has left the folder.
            f"dd if={lifeline} iflag=nonblock count=1 of=/dev/null 2>/dev/null && rm -rf {folder}",
            "exit $status",
        ]
        self.launcher.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.launcher.chmod(0o700)

    def close(self) -> None:
        """Remove the folder; what still runs under the guard is ended. Idempotent."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        shutil.rmtree(self.path, ignore_errors=True)  # the launcher may be removing it too


def _remove_abandoned() -> None:
    """Remove folders of owners that were killed together with their launchers."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another's, or just removed
            about = folder.lstat()
            is_old = time.time() - about.st_mtime > _ABANDONED_AFTER
            if is_old and about.st_uid == os.geteuid() and not _has_owner(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _has_owner(folder: Path) -> bool:
    """Whether a process holds the other end of the folder's lifeline."""
    lifeline = os.open(folder / _LIFELINE, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(lifeline, 1) != b""
    except BlockingIOError:
        return True
    finally:
        os.close(lifeline)
