"""The owner's side of the reaper: one process that removes what this one leaves on an engine."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path

from openenv_gym.errors import ProviderError
from openenv_gym.providers.docker.engine_address import EngineAddress
from openenv_gym.providers.guarded_process import forks_held

_SCRIPT = Path(__file__).with_name("reaper.py")
_PATIENCE = 30.0  # seconds that an ending process waits for its reaper

_finding = threading.Lock()
_reapers: dict[EngineAddress, Reaper] = {}


def reaper_of(engine: EngineAddress) -> Reaper:
    """This process's reaper for that engine; it starts with the first thing that it watches."""
    with _finding:
        if engine not in _reapers:
            _reapers[engine] = Reaper(engine)
        return _reapers[engine]


class Reaper:
    """Deletes what it watches from the engine when this process ends, by SIGKILL too.

    It is a process in a session of its own, which Ctrl-C does not reach. One that was killed is replaced when
    something is watched or forgotten next.
    """

    def __init__(self, engine: EngineAddress) -> None:
        self._engine = engine
        self._watched: dict[str, None] = {}
        self._telling = threading.Lock()
        self._lifeline = -1
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, path: str) -> None:
        """Have ``DELETE path`` done at this process's end; called before the engine is asked to make it.

        Raises:
            ProviderError: The reaper cannot be started: then nothing may be made.
        """
        with self._telling:
            self._watched[path] = None
            self._tell(f"+{path}\n")

    def forget(self, path: str) -> None:
        """It was removed."""
        with self._telling:
            if self._watched.pop(path, 0) is None:
                self._tell(f"-{path}\n")

    def let_go(self) -> None:
        """Have it do its work now; what is forgotten from now on it need not be told."""
        with self._telling, forks_held():
            self._watched.clear()
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1

    def wait(self) -> None:
        """Wait until it has done its work, for a bounded time; it works on beyond that."""
        if self._process is not None:
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.returncode = 0  # its end is nobody's business any more

    def _tell(self, line: str) -> None:
        if self._lifeline >= 0:
            try:
                os.write(self._lifeline, line.encode())  # shorter than PIPE_BUF: whole or not at all
                return
            except BrokenPipeError:
                self._bury()
        self._start()
        try:
            os.write(self._lifeline, "".join(f"+{path}\n" for path in self._watched).encode())
        except BrokenPipeError as error:
            self._bury()
            raise ProviderError("the reaper process ended as soon as it was started") from error

    def _start(self) -> None:
        if not sys.executable:
            raise ProviderError("sys.executable is empty: there is no Python to run the reaper process with")
        engine = self._engine
        # While no other thread forks: a child's copy of the write end would hide this process's end.
        with forks_held():
            reading, self._lifeline = os.pipe()
            try:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-I",
                        "-S",
                        str(_SCRIPT),
                        str(reading),
                        engine.url,
                        *engine.certificates,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(reading,),
                    cwd="/",
                    start_new_session=True,
                )
            except BaseException as error:
                os.close(self._lifeline)
                self._lifeline = -1
                if isinstance(error, OSError):
                    raise ProviderError(f"the reaper process could not be started: {error}") from error
                raise
            finally:
                os.close(reading)

    def _bury(self) -> None:
        os.close(self._lifeline)
        self._lifeline = -1
        if self._process is not None:
            self._process.wait()

    def _disown(self) -> None:
        """Give up, in a forked child, what belongs to the parent."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        if self._process is not None:
            # Keeps `subprocess` from asking for a process that is no child of ours.
            self._process.returncode = 0


def _after_fork_in_child() -> None:
    global _finding
    _finding = threading.Lock()  # a thread that is not here may have held it
    for reaper in _reapers.values():
        reaper._disown()
    _reapers.clear()


def _reap_all() -> None:
    """At exit: what was not stopped is removed before this process is gone."""
    reapers = list(_reapers.values())
    for reaper in reapers:
        reaper.let_go()
    for reaper in reapers:
        reaper.wait()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_reap_all)
