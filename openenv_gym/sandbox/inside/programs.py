"""Run programs inside the sandbox: limits on each, output bounded, no process left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from openenv_gym.sandbox.inside import rlimits
from openenv_gym.sandbox.inside.usage import DiskUsage, memory_over

_CHUNK = 1 << 16
_TICK = 0.1
# A program that prints on beyond its limit is drained (its exit code may matter), but not for ever.
_DRAIN_FACTOR = 64


class OwnerGone(Exception):
    """The owner closed its end of the connection while a program was running."""


class Programs:
    """Starts programs one after another, and long-lived ones besides.

    Args:
        connection: The owner's socket, watched for its end while a program runs.
        folders: Writable folders, whose size is limited.
        alone: Every process that this one may signal was started by it, so "all" can be killed.
        sees_processes: ``/proc`` shows this sandbox's processes and no others.
        before_exec: Called in each child last before the program.
    """

    def __init__(
        self,
        connection: int,
        folders: Sequence[str],
        *,
        alone: bool,
        sees_processes: bool,
        before_exec: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._disk = DiskUsage(folders)
        self._alone = alone
        self._sees_processes = sees_processes
        self._before_exec = before_exec
        self._long_lived: dict[int, _LongLived] = {}
        self._living: set[int] = set()

    def run(self, request: dict[str, Any], stdin: bytes) -> tuple[dict[str, Any], bytes]:
        """Run one program to its end and kill what it leaves; the reply and both outputs, joined.

        Raises:
            OSError: The program cannot be started.
            OwnerGone: Nobody waits for the result any more; everything it started is dead.
        """
        limits = request["limits"]
        started = time.monotonic()
        pipes = [os.pipe() for _ in range(3)]
        (stdin_end, feed), (out, stdout_end), (err, stderr_end) = pipes
        try:
            pid = self._start(request, (stdin_end, stdout_end, stderr_end))
        except OSError:
            for descriptor in (feed, out, err):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (stdin_end, stdout_end, stderr_end):
                os.close(descriptor)
        exchange = _Exchange(feed, stdin, out, err, limits["output_bytes"])
        descriptor = os.pidfd_open(pid)
        try:
            stopped_by = self._supervise(exchange, descriptor, limits, started + limits["wall_seconds"])
        finally:
            code = self._finish(pid)
            os.close(descriptor)
            exchange.drain()
        if stopped_by is None and self._disk.over(limits["disk_bytes"], running=False):
            stopped_by = "disk_bytes"
        reply = {
            "exit_code": code,
            "stdout_length": len(exchange.stdout),
            "truncated": exchange.truncated,
            "stopped_by": stopped_by,
            "seconds": time.monotonic() - started,
        }
        return reply, bytes(exchange.stdout + exchange.stderr)

    def start(self, request: dict[str, Any], descriptors: Sequence[int]) -> tuple[int, int]:
        """Start a long-lived program on the three given descriptors; its id and pidfd.

        Raises:
            OSError: The program cannot be started.
        """
        pid = self._start(request, descriptors)
        deadline = time.monotonic() + request["limits"]["wall_seconds"]
        self._long_lived[pid] = _LongLived(os.pidfd_open(pid), deadline, request["limits"])
        return pid, self._long_lived[pid].descriptor

    def exit_code(self, pid: int) -> int | None:
        """A long-lived program's exit code, negative for a signal; None while it runs."""
        program = self._long_lived[pid]
        if program.exit_code is None and select.select([program.descriptor], [], [], 0)[0]:
            self.kill(pid)
        return program.exit_code

    def kill(self, pid: int) -> None:
        """Kill a long-lived program and its process group."""
        program = self._long_lived[pid]
        if program.exit_code is None:
            program.exit_code = self._finish(pid)
            os.close(program.descriptor)

    def kill_everything(self) -> None:
        """Kill all that was ever started here; used last."""
        for pid in self._long_lived:
            self.kill(pid)
        if self._alone:
            _kill_all()

    def check_long_lived(self) -> float | None:
        """Kill long-lived programs that are over a limit; seconds to the next check, None if none lives."""
        living = [pid for pid in self._long_lived if self.exit_code(pid) is None]
        for pid in living:
            program = self._long_lived[pid]
            if time.monotonic() > program.deadline or self._over(program.limits):
                self.kill(pid)
        return _TICK if living else None

    def _supervise(
        self, exchange: _Exchange, program: int, limits: dict[str, Any], deadline: float
    ) -> str | None:
        """Move input and output until the program ends, or return the name of the limit that it broke."""
        poller = select.poll()
        poller.register(program, select.POLLIN)
        poller.register(self._connection, select.POLLRDHUP)
        exchange.register(poller)
        next_check = time.monotonic() + _TICK
        while True:
            now = time.monotonic()
            if now >= deadline:
                return "wall_seconds"
            if now >= next_check:
                self.check_long_lived()
                if broken := self._over(limits):
                    return broken
                next_check = now + _TICK
            wait = max(0.0, min(deadline, next_check) - now)
            ready = {descriptor for descriptor, _ in poller.poll(wait * 1000 + 1)}
            if self._connection in ready:
                raise OwnerGone
            exchange.move(poller, ready)
            if exchange.drained > _DRAIN_FACTOR * limits["output_bytes"]:
                return "output_bytes"
            if program in ready:
                return None

    def _over(self, limits: dict[str, Any]) -> str | None:
        if self._disk.over(limits["disk_bytes"], running=True):
            return "disk_bytes"
        if self._sees_processes and memory_over(limits["memory_bytes"], ignored=[os.getpid()]):
            return "memory_bytes"
        return None

    def _finish(self, pid: int) -> int:
        """Kill a program's group, and with no other program living everything; reap; its exit code."""
        # The program may have ended, but its id stays taken until it is reaped below.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-pid, 0)
        self._living.remove(pid)
        if not self._living:
            if self._alone:
                _kill_all()
            else:
                _reap_ended()
        return os.waitstatus_to_exitcode(status)

    def _start(self, request: dict[str, Any], descriptors: Sequence[int]) -> int:
        """Fork and execute; returns once the program runs.

        Raises:
            OSError: What the child met on the way.
        """
        report, failure = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become(request, descriptors, failure)
        os.close(failure)
        with open(report, "rb") as file:
            message = file.read()
        if message:
            os.waitpid(pid, 0)
            code, _, text = message.decode().partition(" ")
            raise OSError(int(code), text)
        self._living.add(pid)
        return pid

    def _become(self, request: dict[str, Any], descriptors: Sequence[int], failure: int) -> None:
        """The child's way from fork to exec; never returns."""
        try:
            os.setsid()
            for target, descriptor in enumerate(descriptors):
                os.dup2(descriptor, target)
            # Python ignores these two, and programs inherit that.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            os.chdir(request["cwd"])
            rlimits.apply(request["limits"], request["processes"])
            self._before_exec()
            _execute(request["argv"], request["environ"])
        except OSError as error:
            os.write(failure, f"{error.errno} {error.strerror}".encode())
        except BaseException as error:  # noqa: BLE001 - whatever it is, a forked copy must not live on
            os.write(failure, f"5 {type(error).__name__}: {error}".encode())
        finally:
            os._exit(127)


class _LongLived:
    def __init__(self, descriptor: int, deadline: float, limits: dict[str, Any]) -> None:
        self.descriptor = descriptor
        self.deadline = deadline
        self.limits = limits
        self.exit_code: int | None = None


class _Exchange:
    """A program's standard input going out and its two outputs coming in, bounded."""

    def __init__(self, feed: int, stdin: bytes, out: int, err: int, limit: int) -> None:
        self._feed: int | None = feed
        self._pending = stdin
        self._sent = 0
        self._limit = limit
        self.stdout, self.stderr = bytearray(), bytearray()
        self._sources = {out: self.stdout, err: self.stderr}
        self.drained = 0
        self.truncated = False
        for descriptor in (feed, out, err):
            os.set_blocking(descriptor, False)
        if not stdin:
            self._close_feed()

    def register(self, poller: select.poll) -> None:
        for descriptor in self._sources:
            poller.register(descriptor, select.POLLIN)
        if self._feed is not None:
            poller.register(self._feed, select.POLLOUT)

    def move(self, poller: select.poll, ready: set[int]) -> None:
        """Read and write what can be without waiting; what has ended is closed and unregistered."""
        feed = self._feed
        if feed is not None and feed in ready and self._write(feed):
            poller.unregister(feed)
            self._close_feed()
        for descriptor in ready & self._sources.keys():
            if not self._read(descriptor):
                poller.unregister(descriptor)
                os.close(descriptor)
                del self._sources[descriptor]

    def drain(self) -> None:
        """Take what is left in the pipes and close everything; the writers are dead."""
        for descriptor in self._sources:
            with contextlib.suppress(BlockingIOError):
                while self._read(descriptor):
                    if self.drained > _DRAIN_FACTOR * self._limit:
                        break
            os.close(descriptor)
        self._sources.clear()
        self._close_feed()

    def _read(self, descriptor: int) -> bool:
        """One chunk; False at the end. What is beyond the limit is counted and dropped."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        buffer = self._sources[descriptor]
        room = self._limit - len(buffer)
        buffer += data[:room]
        if len(data) > room:
            self.truncated = True
        self.drained += len(data)
        return bool(data)

    def _write(self, feed: int) -> bool:
        """One chunk of the input; whether that was the last, or nobody reads on."""
        try:
            self._sent += os.write(feed, self._pending[self._sent : self._sent + _CHUNK])
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return self._sent == len(self._pending)

    def _close_feed(self) -> None:
        if self._feed is not None:
            os.close(self._feed)
            self._feed = None


def _execute(argv: list[str], environ: dict[str, str]) -> None:
    """Become the program, searched in ``PATH``.

    `os.execvpe` would do, but it imports a module on the way, which may be out of reach by now.
    """
    name = argv[0]
    folders = [""] if "/" in name else environ.get("PATH", "/usr/bin:/bin").split(":")
    failure = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for folder in folders:
        try:
            os.execve(os.path.join(folder, name), argv, environ)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            failure = error
    raise failure


def _kill_all() -> None:
    """Kill every process that this one may signal, without a race: the kernel holds a lock."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _reap_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
