"""A long-lived program in a sandbox, spoken to over pipes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from openenv_gym.sandbox.sandbox import Sandbox


class SandboxProcess:
    """A program started by `Sandbox.popen`, as much like `subprocess.Popen` as needed.

    It lives at most its limits' ``wall_seconds`` and no longer than its sandbox. While it lives, a program
    that is run besides it can leave processes behind which started a session of their own; they end with
    the last program.

    Attributes:
        stdin: Unbuffered pipe to its standard input; None where the caller gave it a descriptor instead.
        stdout: Unbuffered pipe from its standard output; nothing bounds what comes.
        stderr: Unbuffered pipe from its standard error.
        returncode: Its exit code (minus a signal), None while it is not known to have ended.
        stopped_by: The field of `Limits` because of which the sandbox killed it; None otherwise, and while
            it is not known to have ended.
    """

    stdout: IO[bytes]
    stderr: IO[bytes]

    def __init__(
        self, sandbox: Sandbox, pid: int, descriptor: int, pipes: Sequence[IO[bytes] | None]
    ) -> None:
        self._sandbox = sandbox
        self._pid = pid
        self._ended = os.fdopen(descriptor, "rb", buffering=0)
        self.stdin, stdout, stderr = pipes
        assert stdout is not None and stderr is not None
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self.stopped_by: str | None = None

    def fileno(self) -> int:
        """A descriptor to wait on: readable once the program has ended."""
        return self._ended.fileno()

    def poll(self) -> int | None:
        """The exit code, or None while it runs.

        Raises:
            SandboxError, ClosedError: The sandbox is gone.
        """
        if self.returncode is None:
            self.returncode, self.stopped_by = self._sandbox._ask_about(self._pid, "poll")
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: It runs on after ``timeout`` seconds.
            SandboxError, ClosedError: The sandbox is gone.
        """
        if self.returncode is None:
            poller = select.poll()
            poller.register(self._ended.fileno(), select.POLLIN)
            if not poller.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("sandboxed program", timeout or 0.0)
            self.poll()
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """Kill it and its process group. No effect when it has ended.

        Raises:
            SandboxError, ClosedError: The sandbox is gone.
        """
        if self.returncode is None:
            self.returncode, self.stopped_by = self._sandbox._ask_about(self._pid, "kill")

    def send_signal(self, number: int) -> None:
        """Send a signal to it, and to nothing that it started. No effect when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._ended.fileno(), number)

    def close(self) -> None:
        """Close the pipes; the program itself lives on until it notices, or is killed. Idempotent."""
        for stream in (self.stdin, self.stdout, self.stderr, self._ended):
            if stream is not None:
                stream.close()

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
