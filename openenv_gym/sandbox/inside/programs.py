"""Run programs inside the sandbox: limits on each, output bounded, no process left behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from openenv_gym.sandbox.inside.child import Child
from openenv_gym.sandbox.inside.exchange import Exchange
from openenv_gym.sandbox.inside.task_count import TaskCount
from openenv_gym.sandbox.inside.usage import DiskUsage, memory_over

_TICK = 0.1
# Tasks that others of a shared user, in whatever container, may start while a long-lived program lives, whose
# limit counts them and is set once. The container's own limit is above that.
_LATER_NEIGHBOURS = 256


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
        self._tasks_of_user = TaskCount()
        self._sees_processes = sees_processes
        self._before_exec = before_exec
        self._long_lived: dict[int, _LongLived] = {}
        self._living: set[int] = set()
        self._spare: _Spare | None = None

    def run(self, request: dict[str, Any], stdin: bytes) -> tuple[dict[str, Any], bytes]:
        """Run one program to its end and kill what it leaves; the reply and both outputs, joined.

        Raises:
            OSError: The program cannot be started.
            OwnerGone: Nobody waits for the result any more; everything it started is dead.
        """
        limits = request["limits"]
        processes = self._process_limit(limits)
        started = time.monotonic()
        spare = self._spare or _Spare(self._before_exec)
        self._spare = None
        try:
            spare.child.execute(request, processes)
        except OSError:
            spare.close()
            raise
        pid = spare.child.pid
        self._living.add(pid)
        exchange = Exchange(spare.feed, stdin, spare.out, spare.err, limits["output_bytes"])
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

    def prepare(self) -> None:
        """Fork the next program's process now, while nobody waits for it, and no program could disturb it."""
        if self._spare is None and not self._living:
            self._spare = _Spare(self._before_exec)

    def start(self, request: dict[str, Any], descriptors: Sequence[int]) -> tuple[int, int]:
        """Start a long-lived program on the three given descriptors; its id and pidfd.

        Raises:
            OSError: The program cannot be started.
        """
        self._drop_spare()
        processes = self._process_limit(request["limits"])
        if not self._alone:
            processes += _LATER_NEIGHBOURS
        child = Child(descriptors, self._before_exec)
        child.execute(request, processes)
        pid = child.pid
        self._living.add(pid)
        deadline = time.monotonic() + request["limits"]["wall_seconds"]
        self._long_lived[pid] = _LongLived(os.pidfd_open(pid), deadline, request["limits"])
        return pid, self._long_lived[pid].descriptor

    def exit_code(self, pid: int) -> int | None:
        """A long-lived program's exit code, negative for a signal; None while it runs."""
        program = self._long_lived[pid]
        if program.exit_code is None and select.select([program.descriptor], [], [], 0)[0]:
            self.kill(pid)
        return program.exit_code

    def outcome(self, pid: int) -> dict[str, Any]:
        """A long-lived program's exit code, and the limit because of which it was killed."""
        return {"exit_code": self.exit_code(pid), "stopped_by": self._long_lived[pid].stopped_by}

    def kill(self, pid: int, stopped_by: str | None = None) -> None:
        """Kill a long-lived program and its process group; ``stopped_by`` is the limit that it broke."""
        program = self._long_lived[pid]
        if program.exit_code is None:
            program.stopped_by = stopped_by
            program.exit_code = self._finish(pid)
            os.close(program.descriptor)

    def kill_everything(self) -> None:
        """Kill all that was ever started here; used last."""
        for pid in self._long_lived:
            self.kill(pid)
        if self._alone:
            self._kill_all()

    def check_long_lived(self) -> float | None:
        """Kill long-lived programs that are over a limit; seconds to the next check, None if none lives."""
        living = [pid for pid in self._long_lived if self.exit_code(pid) is None]
        for pid in living:
            program = self._long_lived[pid]
            late = "wall_seconds" if time.monotonic() > program.deadline else None
            if broken := late or self._over(program.limits):
                self.kill(pid, broken)
        return _TICK if living else None

    def _supervise(
        self, exchange: Exchange, program: int, limits: dict[str, Any], deadline: float
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
            if exchange.excessive:
                return "output_bytes"
            if program in ready:
                return None

    def _process_limit(self, limits: dict[str, Any]) -> int:
        # Besides the program's own the kernel counts this process and the spare, or all of a shared user's.
        besides = 2 if self._alone else self._tasks_of_user.get()
        return int(limits["processes"]) + besides

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
                self._kill_all()
            else:
                _reap_ended()
        return os.waitstatus_to_exitcode(status)

    def _kill_all(self) -> None:
        """Kill every process that this one may signal, without a race: the kernel holds a lock."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        self._drop_spare()

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.child.forget()
            self._spare.close()
            self._spare = None


class _Spare:
    """A child that has been forked for a program to come, and our ends of its pipes."""

    def __init__(self, before_exec: Callable[[], None]) -> None:
        pipes = [os.pipe() for _ in range(3)]
        (stdin, self.feed), (self.out, stdout), (self.err, stderr) = pipes
        self.child = Child((stdin, stdout, stderr), before_exec)
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)

    def close(self) -> None:
        for descriptor in (self.feed, self.out, self.err):
            os.close(descriptor)


class _LongLived:
    def __init__(self, descriptor: int, deadline: float, limits: dict[str, Any]) -> None:
        self.descriptor = descriptor
        self.deadline = deadline
        self.limits = limits
        self.exit_code: int | None = None
        self.stopped_by: str | None = None


def _reap_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
