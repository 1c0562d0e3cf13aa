"""A child process that never outlives its owner, takes its whole tree along, and knows about forks."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from openenv_gym.errors import ProviderError

_GUARD = Path(__file__).with_name("guard.py")
_PATIENCE = 6.0  # seconds beyond the server's own grace in which the guard has to clear the tree

# Held while descriptors are made that a forked child must not keep, and by every fork. A copy of a
# lifeline's write end in a child would hide its owner's death from the guard.
_forks = threading.RLock()
_live: set[GuardedProcess] = set()


@contextmanager
def forks_held() -> Iterator[None]:
    """Keep ``os.fork`` in other threads waiting; starting programs with `subprocess` is not affected."""
    with _forks:
        yield


class GuardedProcess:
    """A program under a guard process (see ``guard.py``), which ends it when this process ends or says so.

    In a child made by ``os.fork`` the object is disowned: it does nothing, and the program lives on.

    Args:
        command: The program and its arguments.
        environ: Its whole environment.
        inherit: Descriptors it gets, under the same numbers.
        grace: Seconds it has between SIGTERM and SIGKILL.

    Raises:
        ProviderError: The guard could not be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        inherit: Sequence[int] = (),
        grace: float = 10.0,
    ) -> None:
        self._grace = grace
        self._ending = threading.Lock()
        self._final_log: str | None = None
        with forks_held():
            # Memory, not a file: it leaves nothing behind, and the guard keeps it small.
            self._log = os.memfd_create("server-log")
            lifeline_end, self._lifeline = os.pipe()
            try:
                self._guard = _start_guard(command, environ, lifeline_end, self._log, inherit, grace)
            except BaseException as error:
                os.close(self._lifeline)  # if the guard did start, this ends it
                os.close(self._log)
                if isinstance(error, OSError):
                    raise ProviderError(f"the guard process could not be started: {error}") from error
                raise
            finally:
                os.close(lifeline_end)
            _live.add(self)

    @property
    def pid(self) -> int:
        """The guard's process id; the program and all that it starts are its descendants."""
        return self._guard.pid

    @property
    def exit_code(self) -> int | None:
        """The program's exit code (minus the signal that killed it), once all of its tree is gone."""
        return self._guard.poll()

    def wait(self, timeout: float) -> int | None:
        """Wait up to so many seconds for the end; return `exit_code`."""
        try:
            return self._guard.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def log(self) -> str:
        """The latest of what the program wrote, at most a mebibyte."""
        with forks_held():
            if self._final_log is not None:
                return self._final_log
            size = os.fstat(self._log).st_size
            return os.pread(self._log, size, 0).decode(errors="replace")

    def let_go(self) -> None:
        """Have the guard end the program, without waiting for it."""
        with forks_held():
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1
                self._guard.terminate()  # a fork outside of Python may still hold a copy of the lifeline

    def end(self) -> None:
        """End the program and its tree, and return when they are gone. May be repeated and overlap.

        Raises:
            ProviderError: Something could not be ended in time; another call waits on.
        """
        with self._ending:
            if self._final_log is not None:
                return
            self.let_go()
            if self.wait(self._grace + _PATIENCE) is None:
                raise ProviderError(
                    f"processes under the guard {self._guard.pid} do not end, even by SIGKILL"
                )
            with forks_held():
                self._final_log = self.log()
                os.close(self._log)
                _live.discard(self)

    def _disown(self) -> None:
        """Give up, in a forked child, what belongs to the parent."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
        os.close(self._log)
        self._lifeline = -1
        self._final_log = ""
        self._guard.returncode = 0  # keeps `subprocess` from asking for a process that is no child of ours
        self._ending = threading.Lock()  # a thread that is not here may have held it


def _start_guard(
    command: Sequence[str],
    environ: Mapping[str, str],
    lifeline: int,
    log: int,
    inherit: Sequence[int],
    grace: float,
) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise ProviderError("sys.executable is empty: there is no Python to run the guard process with")
    inherited = ",".join(map(str, inherit))
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_GUARD), str(lifeline), str(grace), inherited, *command],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(lifeline, *inherit),
        start_new_session=True,  # Ctrl-C in the terminal is for the owner, who then ends the server
    )


def _after_fork_in_child() -> None:
    for process in _live:
        process._disown()
    _live.clear()
    _forks.release()


def _end_all() -> None:
    """At exit: ask all at once, then wait for each, so that no server is seen after its owner."""
    processes = list(_live)
    for process in processes:
        process.let_go()
    for process in processes:
        process.end()


os.register_at_fork(
    before=_forks.acquire, after_in_parent=_forks.release, after_in_child=_after_fork_in_child
)
atexit.register(_end_all)
