"""The helper's parent where there is no pid namespace: it outlives the helper and cleans up after it."""

from __future__ import annotations

import contextlib
import os
import signal

from openenv_gym.sandbox.inside import kernel


def split(private: str, uid: int | None) -> None:
    """Fork: the child returns and becomes the helper, the parent stays behind as its guard and never returns.

    When the helper has ended, however it did, the guard kills what the helper left and removes ``private``.

    Args:
        private: The sandbox's private folder.
        uid: The user that only this sandbox's programs have, or None.
    """
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    helper = os.fork()
    if helper == 0:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        return
    os.closerange(0, 1024)
    try:
        while os.waitpid(-1, 0)[0] != helper:
            pass
        if uid is not None:
            _kill_all_of(uid)
        _kill_children()
        # Only now, because it is slow to import.
        import shutil

        shutil.rmtree(private, ignore_errors=True)
    finally:
        os._exit(0)


def _kill_all_of(uid: int) -> None:
    killer = os.fork()
    if killer == 0:
        try:
            os.setresuid(uid, uid, uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(killer, 0)


def _kill_children() -> None:
    """Kill and reap what was handed up to the guard as the nearest living ancestor."""
    pid = os.getpid()
    with contextlib.suppress(ChildProcessError, OSError):
        while True:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                for child in file.read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(child), signal.SIGKILL)
            os.waitpid(-1, 0)
