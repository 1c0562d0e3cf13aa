"""Interpreter: one process that runs code, request by request, seen from the server."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import IO

from coding_env.inside.channel import REPLY, REQUEST
from coding_env.server.kept_output import KeptOutput
from openenv_gym.errors import ClosedError, SandboxError
from openenv_gym.sandbox import Limits, Sandbox

_CHUNK = 1 << 16
# The largest pipe an unprivileged program can make: more cannot have been printed before a reply.
_PIPE_BYTES = 1 << 20
_STOPPED = 124
"""The exit code of timeout(1)."""

# The modules come as arguments, as names and texts in turn.
_BOOT = """
import sys, types
for name in ("coding_env", "coding_env.inside"):
    sys.modules[name] = types.ModuleType(name)
while sys.argv[1] != "--":
    name, source = sys.argv[1:3]
    del sys.argv[1:3]
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, "<%s>" % name, "exec"), module.__dict__)
del sys.argv[1]
module.main()
"""


@dataclass(frozen=True)
class Outcome:
    """How one request ended.

    Attributes:
        exit_code: The code's own, 124 when it was stopped, minus the signal that killed its interpreter.
        stdout: What was printed, bounded.
        stderr: What was printed to standard error, bounded.
        stopped_by: The limit it ran into ("step_seconds", "printed_bytes", or a field of
            `openenv_gym.sandbox.Limits`); None otherwise.
        alive: The interpreter goes on, with its state.
        ran: The request was sent; false where the interpreter had ended since the one before.
    """

    exit_code: int
    stdout: KeptOutput
    stderr: KeptOutput
    stopped_by: str | None = None
    alive: bool = True
    ran: bool = True


@dataclass(frozen=True)
class Patience:
    """How long, and how much, one request may take.

    Attributes:
        seconds: Until it is interrupted.
        grace_seconds: From then until it is killed.
        output_bytes: Kept of each output.
        printed_bytes: Printed in all until it is interrupted.
    """

    seconds: float
    grace_seconds: float = 1.0
    output_bytes: int = 1 << 16
    printed_bytes: int = 64 << 20


class Interpreter:
    """A program of `coding_env.inside`, started in a sandbox; `receive_greeting` waits until it is ready.

    What the code prints comes on pipes of its own, straight from whoever writes it, so that nothing the code
    does to its interpreter can make it unbounded or lose it.

    Args:
        sandbox: Where to start it.
        python: Path of a Python that the sandbox's user can run.
        modules: Names in `coding_env.inside`, those that others import first; the last one's ``main`` runs.
        arguments: For ``main``.
        limits: The program's.

    Raises:
        OSError: It cannot be started.
        SandboxError: The sandbox failed.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        python: str,
        modules: Sequence[str],
        arguments: Sequence[str] = (),
        limits: Limits | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            try:
                argv = [python, "-s", "-P", "-c", _BOOT, *_sources(tuple(modules)), "--", *arguments]
                self._process = sandbox.popen(argv, environ=environ, limits=limits, stdin=theirs.fileno())
            except BaseException:
                self._channel.close()
                raise
        for stream in (self._channel, self._process.stdout, self._process.stderr):
            os.set_blocking(stream.fileno(), False)
        self._alive = True

    @property
    def alive(self) -> bool:
        """It can take a request."""
        return self._alive and not self._has_ended()

    def receive_greeting(self, seconds: float) -> Outcome:
        """Wait until it is ready; ``alive`` is false in the result when that failed."""
        return self._converse(b"", 0, Patience(seconds, grace_seconds=0.0))

    def request(self, operation: int, number: int, text: str, patience: Patience) -> Outcome:
        """Have it run code, or whatever ``operation`` is; blocks until it has, or was stopped.

        Args:
            operation: One of `coding_env.inside.channel`.
            number: The request's number, which names the code in tracebacks.
            text: The code.
            patience: Its limits.
        """
        body = text.encode()
        return self._converse(REQUEST.pack(number, operation, len(body)) + body, number, patience)

    def close(self) -> None:
        """Kill it. The sandbox's owner may as well close that."""
        if self._alive:
            self._end()
        self._channel.close()
        self._process.close()

    def _converse(self, message: bytes, number: int, patience: Patience) -> Outcome:
        out, err = KeptOutput(patience.output_bytes), KeptOutput(patience.output_bytes)
        if self._has_ended():
            exit_code, broken_limit = self._end()
            return Outcome(exit_code, out, err, broken_limit, alive=False, ran=False)
        exchange = _Exchange(self._channel, message, {self._process.stdout: out, self._process.stderr: err})
        stopped_by, interrupted = None, False
        deadline = time.monotonic() + patience.seconds
        while True:
            ended = exchange.move(self._process.fileno(), deadline)
            if ended or exchange.finished or exchange.broken:
                break
            printed = out.total + err.total > patience.printed_bytes
            if printed or time.monotonic() >= deadline:
                if interrupted and time.monotonic() >= deadline:
                    break
                if not interrupted:
                    stopped_by, interrupted = "printed_bytes" if printed else "step_seconds", True
                    deadline = time.monotonic() + patience.grace_seconds
                    self._process.send_signal(signal.SIGINT)
        exchange.drain()
        answer = exchange.reply(number)
        if answer is not None:
            return Outcome(_STOPPED if interrupted else answer, out, err, stopped_by)
        exit_code, broken_limit = self._end()
        exchange.drain()
        stopped_by = stopped_by or broken_limit
        return Outcome(_STOPPED if stopped_by else exit_code, out, err, stopped_by, alive=False)

    def _has_ended(self) -> bool:
        poller = select.poll()
        poller.register(self._process, select.POLLIN)
        return bool(poller.poll(0))

    def _end(self) -> tuple[int, str | None]:
        """Kill it if it lives; its exit code, and the sandbox's limit that it broke."""
        self._alive = False
        try:
            self._process.kill()
        except (SandboxError, ClosedError):
            return -signal.SIGKILL, None  # the sandbox has gone, and everything in it
        assert self._process.returncode is not None
        return self._process.returncode, self._process.stopped_by


class _Exchange:
    """One request going out, its reply and what is printed meanwhile coming in; nothing here waits for long.

    Attributes:
        broken: Something came that is no reply.
    """

    def __init__(self, channel: socket.socket, message: bytes, outputs: dict[IO[bytes], KeptOutput]) -> None:
        self._channel = channel
        self._unsent = memoryview(message)
        self._reply = bytearray()
        self._outputs = {stream.fileno(): kept for stream, kept in outputs.items()}
        self.broken = self._closed = False
        self._poller = select.poll()
        for descriptor in self._outputs:
            self._poller.register(descriptor, select.POLLIN)
        # What was sent before the request is nobody's reply.
        self._receive()
        if message and self._reply:
            self.broken = True

    @property
    def finished(self) -> bool:
        """The whole reply is there."""
        return len(self._reply) >= REPLY.size

    def reply(self, number: int) -> int | None:
        """The exit code in the reply to request ``number``; None when there is no such reply."""
        if self.broken or len(self._reply) != REPLY.size:
            return None
        answered, exit_code = REPLY.unpack(self._reply)
        return exit_code if answered == number else None

    def move(self, process: int, deadline: float) -> bool:
        """Wait until something can be moved, and move it; whether ``process`` (a pidfd) has ended."""
        self._poller.register(process, select.POLLIN)
        if not self._closed:
            self._poller.register(self._channel, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        wait = max(0.0, deadline - time.monotonic())
        ready = {descriptor for descriptor, _ in self._poller.poll(wait * 1000 + 1)}
        if self._channel.fileno() in ready:
            self._send()
            self._receive()
        for descriptor in ready & self._outputs.keys():
            self._read(descriptor)
        return process in ready

    def drain(self) -> None:
        """Take what is in the pipes, and not what somebody goes on writing to them."""
        for descriptor in list(self._outputs):
            before = self._outputs[descriptor].total
            while descriptor in self._outputs and self._outputs[descriptor].total - before < _PIPE_BYTES:
                if not self._read(descriptor):
                    break

    def _send(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._close()

    def _receive(self) -> None:
        try:
            # One byte more than a reply: that there is no more is part of its form.
            data = self._channel.recv(REPLY.size + 1 - len(self._reply))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._reply += data
        self.broken |= len(self._reply) > REPLY.size
        if not data:
            self._close()

    def _close(self) -> None:
        """The other end has closed it: the program is about to end, or is another one by now (`os.execv`)."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(KeyError):  # nothing was sent yet
                self._poller.unregister(self._channel)

    def _read(self, descriptor: int) -> bool:
        """One chunk of an output; whether there was any."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(descriptor, _CHUNK)
            if not data:  # everybody has closed it
                self._poller.unregister(descriptor)
                del self._outputs[descriptor]
        if data:
            self._outputs[descriptor].add(data)
        return bool(data)


@functools.cache
def _sources(modules: tuple[str, ...]) -> list[str]:
    folder = files("coding_env.inside")
    arguments = []
    for module in modules:
        arguments += [f"coding_env.inside.{module}", (folder / f"{module}.py").read_text(encoding="utf-8")]
    return arguments
