"""Several servers of one app, each a process on its own port, under a parent that keeps them running.

The parent binds the sockets, forks, and does nothing else: it runs no threads and loads no app. A server
that ends is forked again onto its socket, in whose backlog clients wait meanwhile. SIGTERM, SIGINT and SIGHUP
end all of them in order; a parent that is killed takes them along.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openenv_gym.server.lifeline import die_with_owner
from openenv_gym.server.settings import GROUP_VARIABLE, SIBLINGS_VARIABLE

logger = logging.getLogger(__name__)

Serve = Callable[[socket.socket, Callable[[], None], Callable[[], None]], int]
"""Serves on a socket in a child until a signal ends it, and returns the exit status. Calls the second
argument when the app is loaded, before it answers anybody, and the third when it does answer."""

NO_APP = 2
"""Exit status of a server that was told to serve what is no app, or where it cannot."""

NO_START = 3
"""Exit status of a server whose app cannot be loaded or started."""

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FIRST_PAUSE = 0.1  # seconds before a server that died is started again; doubled each time
_LONGEST_PAUSE = 30.0
_SOUND_LIFE = 10.0  # seconds after which a death is no longer blamed on the start


@dataclass(slots=True)
class _Place:
    """One server's place: what stays when its process is replaced.

    Attributes:
        listener: Its socket.
        name: What its siblings tell clients of it: a port of this host, or a URL.
        pid: Its process; 0 while there is none.
        lifeline: The pipe by whose end the process ends.
        began: When the process began, on the monotonic clock.
        failures: Lives in a row that were short.
        due: When it is to be started (again).
    """

    listener: socket.socket
    name: int | str
    pid: int = 0
    lifeline: int = -1
    began: float = 0.0
    failures: int = 0
    due: float = 0.0

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.listener.getsockname()[1])


class Supervisor:
    """The parent process. Use it in a process with one thread, once.

    Args:
        listeners: A socket for each server. The first answers only when all others do, so that whoever waits
            for the first finds all of them.
        names: What clients are told of each, in the same order.
        serve: What a server does.
        patience: Seconds that servers get to end, before they are killed.
    """

    def __init__(
        self, listeners: Sequence[socket.socket], names: Sequence[int | str], serve: Serve, patience: float
    ) -> None:
        self._places = [_Place(*pair) for pair in zip(listeners, names, strict=True)]
        self._serve = serve
        self._patience = patience
        self._group = secrets.token_urlsafe(12)
        self._mask: set[int] = set()
        self._stop_signals = {number for number in _STOP if signal.getsignal(number) is not signal.SIG_IGN}
        self._watched = {*self._stop_signals, signal.SIGCHLD}
        self._barrier: tuple[int, int] | None = os.pipe()
        self._status: int | None = None

    def run(self) -> int:
        """Keep the servers running until a signal, and return when all have ended; gives the exit status.

        In each child it does not return: the child leaves the program by ``SystemExit``.
        """
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # whoever started us may have had it ignored
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._watched))
        for place in self._places:
            self._start(place)
        self._drop_barrier()
        while self._status is None:
            now = time.monotonic()
            for place in self._places:
                if not place.pid and place.due <= now:
                    self._start(place)
            dues = [place.due for place in self._places if not place.pid]
            self._wait(min(dues) - now if dues else None)
        self._stop()
        for place in self._places:
            place.listener.close()
        return self._status

    # --- one server ------------------------------------------------------------------------------------

    def _start(self, place: _Place) -> None:
        alive, lifeline = os.pipe()
        place.began = time.monotonic()
        try:
            place.pid = os.fork()
        except OSError as error:  # the others live on
            os.close(lifeline)
            self._put_off(place, f"cannot be started ({error})")
        else:
            place.lifeline = lifeline
            if not place.pid:
                sys.exit(self._be_server(place, alive))
        os.close(alive)

    def _be_server(self, own: _Place, alive: int) -> int:
        """Serve, in a child."""
        os.setsid()  # Ctrl-C is for the parent, who passes it on; and a group of its own can be killed whole
        for place in self._places:
            if place.lifeline >= 0:
                os.close(place.lifeline)
            if place is not own:
                place.listener.close()
        die_with_owner(alive)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.environ[GROUP_VARIABLE] = self._group
        os.environ[SIBLINGS_VARIABLE] = ",".join(str(p.name) for p in self._places if p is not own)
        await_others, tell_first = self._turns(is_first=own is self._places[0])

        def on_loaded() -> None:
            for name in (GROUP_VARIABLE, SIBLINGS_VARIABLE):
                os.environ.pop(name, None)  # the app has read them; a server that it starts is no sibling
            await_others()

        return self._serve(own.listener, on_loaded, tell_first)

    def _turns(self, *, is_first: bool) -> tuple[Callable[[], None], Callable[[], None]]:
        """Make what a server calls when it is loaded and when it answers."""
        if self._barrier is None:
            return _nothing, _nothing  # started again: nobody waits for it, nor it for anybody
        reader, writer = self._barrier
        others = len(self._places) - 1
        if is_first:
            os.close(writer)
            return lambda: _await_bytes(reader, others), _nothing
        os.close(reader)
        return _nothing, lambda: _leave_byte(writer)

    def _drop_barrier(self) -> None:
        assert self._barrier is not None
        for end in self._barrier:
            os.close(end)
        self._barrier = None

    def _ended(self, place: _Place, code: int) -> None:
        """Take note of a server's unasked end."""
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        if code in (NO_APP, NO_START) and not place.due:
            logger.error("the server on port %d could not start (status %d): giving up", place.port, code)
            self._status = code
        else:
            self._put_off(place, how)

    def _put_off(self, place: _Place, why: str) -> None:
        """Have a server started after a pause, which grows with every life that is short."""
        now = time.monotonic()
        place.failures = 0 if now - place.began >= _SOUND_LIFE else place.failures + 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(place.failures, 10))
        place.due = now + pause
        logger.error("the server on port %d %s: it is started again in %.1f s", place.port, why, pause)

    # --- all of them -----------------------------------------------------------------------------------

    def _wait(self, timeout: float | None) -> bool:
        """Wait for a signal, for at most so many seconds, and act on it; tells whether it was one to stop."""
        if timeout is None:
            number = signal.sigwaitinfo(self._watched).si_signo
        else:
            info = signal.sigtimedwait(self._watched, max(0.0, timeout))
            number = 0 if info is None else info.si_signo
        if number in self._stop_signals:
            self._status = 0 if self._status is None else self._status
            return True
        self._reap()
        return False

    def _reap(self) -> None:
        """Collect the ended; as a container's first process, orphans of others too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for place in self._places:
                if place.pid == pid:
                    os.close(place.lifeline)
                    place.pid, place.lifeline = 0, -1
                    if self._status is None:
                        self._ended(place, os.waitstatus_to_exitcode(status))

    def _stop(self) -> None:
        """Have all servers drain, and return when they are gone."""
        self._tell(signal.SIGTERM)
        deadline = time.monotonic() + self._patience
        while any(place.pid for place in self._places):
            left = deadline - time.monotonic()
            if left <= 0:
                self._tell(signal.SIGKILL)
            if self._wait(max(left, 1.0)):
                self._tell(signal.SIGTERM)  # a second signal does not wait for running calls

    def _tell(self, number: signal.Signals) -> None:
        for place in self._places:
            if place.pid:
                if number is signal.SIGKILL:
                    logger.error("the server on port %d did not end in time and is killed", place.port)
                    os.killpg(place.pid, number)
                else:
                    os.kill(place.pid, number)


def _await_bytes(reader: int, count: int) -> None:
    """Return when so many bytes have come, or nobody is left to send one."""
    while count > 0 and (some := os.read(reader, count)):
        count -= len(some)
    os.close(reader)


def _leave_byte(writer: int) -> None:
    try:
        os.write(writer, b".")
    except BrokenPipeError:
        logger.debug("the first server is gone and waits for nobody")
    os.close(writer)


def _nothing() -> None:
    """Nobody waits."""
