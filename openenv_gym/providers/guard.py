"""Runs a server, and ends it with everything it started as soon as its owner ends.

A script, not a module to import: ``python -I -S guard.py LIFELINE GRACE INHERITED COMMAND...``. It needs
the standard library alone and few parts of it, so that it starts in milliseconds.

* ``LIFELINE`` is the read end of a pipe whose other end the owner holds. Its end of file means that the owner
  closed it or died, however that happened. (The kernel's own parent-death signal will not do for the owner:
  it fires when the *thread* that started the child ends.)
* ``GRACE`` is how many seconds the server gets between SIGTERM and SIGKILL.
* ``INHERITED`` lists file descriptors for the server, separated by commas.

The server's output is copied to the guard's standard output, a file which is kept below a bound. The guard
exits with the server's exit code, or dies by the signal that killed it, after nothing is left below it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator

LOG_LIMIT = 1 << 20  # bytes; older half dropped beyond it
LEFTOVER_GRACE = 1.0  # seconds between SIGTERM and SIGKILL for what outlives the server

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP)
_LOG = 1


class Guard:
    """One server and its descendants."""

    def __init__(self, lifeline: int, grace: float) -> None:
        self._lifeline = lifeline
        self._grace = grace
        self._stopping = False
        self._status: int | None = None
        self._childless = False
        # Orphans of this tree become children of the guard, however often they forked and changed session.
        _prctl(_SET_CHILD_SUBREAPER, 1)
        os.set_inheritable(lifeline, False)
        self._wake = _signals_as_bytes()
        self._output, self._server_output = os.pipe()
        os.set_blocking(self._output, False)
        self._poll = select.poll()
        for fd in (self._lifeline, self._wake, self._output):
            self._poll.register(fd, select.POLLIN)

    def run(self, command: list[str], inherited: list[int]) -> int:
        """Run the command to its end, or to its owner's; return its wait status when nothing is left."""
        self._server = self._start(command)
        for fd in (self._server_output, *inherited):
            os.close(fd)  # the server's death must be seen as such by whoever waits on these
        deadline: float | None = None
        while self._status is None:
            self._turn(None if deadline is None else deadline - time.monotonic())
            if self._stopping and deadline is None:
                _send(self._server, signal.SIGTERM)
                deadline = time.monotonic() + self._grace
            elif deadline is not None and time.monotonic() >= deadline:
                _send(self._server, signal.SIGKILL)
                deadline = time.monotonic() + 1.0
        self._end_leftovers()
        while self._copy_output():
            pass
        return self._status

    def _start(self, command: list[str]) -> int:
        guard = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()  # a signal the server sends to its own group must not reach the guard
            # Here the kernel's signal is right: the guard has one thread. It covers a guard that is killed.
            _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            if os.getppid() != guard:
                os._exit(1)
            for number in (*_IGNORED, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(self._server_output, 1)
            os.dup2(self._server_output, 2)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"cannot run {command[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def _turn(self, timeout: float | None) -> None:
        """Wait until something happens, or for so many seconds, and take note of it."""
        for fd, _ in self._poll.poll(None if timeout is None else max(timeout, 0.0) * 1000):
            if fd == self._lifeline:
                self._stopping = True  # nobody writes to it: this is its end
                self._poll.unregister(fd)
            elif fd == self._wake:
                self._stopping |= signal.SIGTERM in os.read(fd, 4096)
            elif not self._copy_output():
                self._poll.unregister(fd)
        self._reap()

    def _reap(self) -> None:
        """Collect the ended, adopted orphans too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return
            if pid == 0:
                return
            if pid == self._server:
                self._status = status

    def _end_leftovers(self) -> None:
        """End what outlived the server. A subreaper without children has no descendants either."""
        deadline = time.monotonic() + min(self._grace, LEFTOVER_GRACE)
        asked: set[int] = set()
        while not self._childless:
            late = time.monotonic() >= deadline
            for pid in list(_descendants(os.getpid())):
                if late or pid not in asked:
                    _send(pid, signal.SIGKILL if late else signal.SIGTERM)
                    asked.add(pid)
            self._turn(0.05)

    def _copy_output(self) -> bool:
        """Move what the server wrote to the log; False when there is nothing and will be nothing."""
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return False
        try:
            os.write(_LOG, data)
            size = os.fstat(_LOG).st_size
            if size > LOG_LIMIT:
                kept = os.pread(_LOG, LOG_LIMIT // 2, size - LOG_LIMIT // 2)
                os.ftruncate(_LOG, 0)
                os.lseek(_LOG, 0, os.SEEK_SET)
                os.write(_LOG, kept)
        except OSError:
            pass  # a log that cannot be written, for want of memory, must not cost the server
        return bool(data)


def _signals_as_bytes() -> int:
    """Shut out stray signals; return a descriptor on which SIGTERM and SIGCHLD arrive as bytes."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the owner's thread may have blocked some
    return reader


def _descendants(root: int) -> Iterator[int]:
    """Every process below ``root`` that /proc shows."""
    children: dict[int, list[int]] = {}
    with os.scandir("/proc") as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            try:
                stat = os.open(f"/proc/{entry.name}/stat", os.O_RDONLY)
            except OSError:
                continue  # it ended meanwhile
            try:
                # The name, in parentheses, may hold anything; the state and the parent's id follow it.
                parent = int(os.read(stat, 4096).rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended meanwhile
            finally:
                os.close(stat)
            children.setdefault(parent, []).append(int(entry.name))
    found = children.pop(root, [])
    while found:
        pid = found.pop()
        yield pid
        found.extend(children.pop(pid, ()))  # pop: ids reused while we read could form a ring


def _send(pid: int, number: int) -> None:
    try:  # noqa: SIM105 - contextlib would double what this script loads
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # gone already, or it became another user's


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    rest = [ctypes.c_ulong(argument) for argument in (value, 0, 0, 0)]
    if libc.prctl(option, *rest) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _end_like(status: int) -> None:
    """End this process as the server ended, by the same signal if it was one."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the guard's own memory tells nothing
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        code = 128 - code
    os._exit(code)


if __name__ == "__main__":
    _guard = Guard(lifeline=int(sys.argv[1]), grace=float(sys.argv[2]))
    _end_like(_guard.run(sys.argv[4:], [int(fd) for fd in sys.argv[3].split(",") if fd]))
