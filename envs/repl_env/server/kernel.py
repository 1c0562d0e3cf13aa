"""One IPython kernel in a sandbox of its own, spoken to by Jupyter's messages."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_client.session import Session

from openenv_gym.errors import SandboxError
from openenv_gym.sandbox import Limits, Mount, SandboxProcess, SandboxSpec, open_sandbox
from openenv_gym.sandbox.system_paths import interpreter
from repl_env import kernel as program
from repl_env.kernel.frames import Channel, FrameError, FrameReader, encode
from repl_env.server.cell import Cell
from repl_env.server.packages import packages_folder
from repl_env.server.settings import REPLSettings

logger = logging.getLogger(__name__)

_PROGRAM = "/opt/kernel"
_PACKAGES = "/opt/packages"
_START_TIMEOUT = 30.0
_INTERRUPT_PATIENCE = 6.0  # seconds that an interrupted cell gets to end, and to hand over what it printed
_ANSWER_PATIENCE = 10.0  # seconds for what does not run the user's code
_DEATH_PATIENCE = 1.0  # seconds between a pipe's end and its process's
_LONGEST_LIFE = 24 * 3600.0
_MAX_PART = 64 << 20
_CHUNK = 1 << 18

Message = dict[str, Any]


class KernelGoneError(Exception):
    """The kernel has ended, does not answer, or does not keep to the protocol; its variables are lost."""


class Kernel:
    """A running kernel; one caller at a time. Made in the starting state: `wait_ready` before all else.

    Args:
        settings: Limits, and what confines.

    Raises:
        SandboxError: Nothing can confine it here, or it could not be started.
    """

    def __init__(self, settings: REPLSettings) -> None:
        self._session = Session(key=secrets.token_hex(32).encode())
        self._reader = FrameReader(_MAX_PART)
        self._inbox: list[tuple[Channel, Message]] = []
        self._max_output = settings.max_output_length
        self._max_rich = settings.max_rich_bytes
        limits = Limits(
            wall_seconds=_LONGEST_LIFE,
            cpu_seconds=_LONGEST_LIFE,
            memory_bytes=settings.memory_bytes,
            open_files=1024,
        )
        spec = SandboxSpec(
            mounts=(Mount(Path(program.__path__[0]), _PROGRAM), Mount(packages_folder(), _PACKAGES)),
            environ={"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},  # equal seeds give equal sets
            limits=limits,
        )
        self._sandbox = open_sandbox(spec, mechanism=settings.sandbox)
        try:
            self._process = self._start()
            assert self._process.stdin is not None
            self._stdin = self._process.stdin
            for pipe in (self._stdin, self._process.stdout):
                os.set_blocking(pipe.fileno(), False)
        except BaseException:
            self._sandbox.close()
            raise

    @property
    def mechanism(self) -> str:
        """What confines it."""
        return self._sandbox.mechanism

    @property
    def usable(self) -> bool:
        """Whether it lives, as far as is known."""
        return self._sandbox.usable and self._process.poll() is None

    def wait_ready(self) -> None:
        """Hand it the key that messages are signed with, and wait until it answers.

        Raises:
            SandboxError: It does not come up; the message has what it wrote last.
        """
        try:
            self._send_bytes(self._session.key + b"\n", time.monotonic() + _ANSWER_PATIENCE)
            self._ask("kernel_info_request", {}, _START_TIMEOUT)
        except KernelGoneError as error:
            raise SandboxError(f"the IPython kernel did not start: {error}{self._last_words()}") from error

    def prepare(self, context: str | None, seed: int | None) -> list[str]:
        """Put the episode's own variables in place; returns the names of all.

        Raises:
            KernelGoneError: It cannot be used any more.
        """
        reply = self._ask("prepare_request", {"context": context, "seed": seed}, _ANSWER_PATIENCE)
        return _texts(_dict(reply["content"].get("namespace")).get("names"))

    def text_of(self, name: str) -> str | None:
        """A variable as ``str()`` has it; None if there is none.

        Raises:
            KernelGoneError: It cannot be used any more.
        """
        text = self._ask("lookup_request", {"name": name}, _ANSWER_PATIENCE)["content"].get("text")
        return text if isinstance(text, str) else None

    def execute(self, code: str, timeout: float) -> Cell:
        """Run a cell.

        Args:
            code: What IPython takes.
            timeout: Seconds after which it is interrupted, as by Ctrl-C.

        Raises:
            KernelGoneError: The kernel ended, or the cell would not be interrupted: variables are lost.
        """
        request = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        cell = Cell(self._max_output, self._max_rich)
        began = time.monotonic()
        identity = self._send(Channel.SHELL, "execute_request", request, _ANSWER_PATIENCE)
        if not self._follow(identity, cell, began + timeout):
            cell.interrupted = True
            self._send(Channel.CONTROL, "interrupt_request", {}, _ANSWER_PATIENCE)
            if not self._follow(identity, cell, time.monotonic() + _INTERRUPT_PATIENCE):
                raise KernelGoneError(f"the cell ran longer than {timeout:g} s and ignored its interruption")
        cell.seconds = time.monotonic() - began
        return cell

    def close(self) -> None:
        """End it, and all that it started. Idempotent."""
        self._sandbox.close()
        self._process.close()

    def _start(self) -> SandboxProcess:
        inside = self._sandbox.path_inside
        arguments = ["-s", "-S", f"{inside(_PROGRAM)}/main.py", inside(_PACKAGES)]
        # Under Landlock an interpreter in somebody's home cannot be run; packages need one of its version.
        candidates = (interpreter(), f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
        for candidate in candidates:
            with contextlib.suppress(PermissionError, FileNotFoundError):
                return self._sandbox.popen([candidate, *arguments])
        raise SandboxError(
            f"the sandbox's user can run none of {', '.join(candidates)}: put the server's Python where "
            "everybody may read and execute it"
        )

    # --- messages --------------------------------------------------------------------------------------

    def _follow(self, identity: str, cell: Cell, deadline: float) -> bool:
        """Collect what a cell does until it is done; False when the deadline comes first."""
        for channel, message in self._messages(deadline):
            if message["parent_header"].get("msg_id") == identity and cell.take(channel, message):
                return True
        return False

    def _ask(self, kind: str, content: Message, timeout: float) -> Message:
        """Send a request and wait for its reply."""
        identity = self._send(Channel.SHELL, kind, content, timeout)
        for channel, message in self._messages(time.monotonic() + timeout):
            if channel is Channel.SHELL and message["parent_header"].get("msg_id") == identity:
                return message
        raise KernelGoneError(f"no reply to {kind} within {timeout:g} s")

    def _send(self, channel: Channel, kind: str, content: Message, timeout: float) -> str:
        message = self._session.msg(kind, content)
        self._send_bytes(encode(channel, self._session.serialize(message)), time.monotonic() + timeout)
        identity: str = message["header"]["msg_id"]
        return identity

    def _send_bytes(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        stdin = self._stdin.fileno()
        while view:
            if not _ready(stdin, select.POLLOUT, deadline):
                raise KernelGoneError("it does not read what it is sent")
            try:
                view = view[os.write(stdin, view) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise KernelGoneError(self._obituary()) from None

    def _messages(self, deadline: float) -> Iterator[tuple[Channel, Message]]:
        """Yield what arrives, until the deadline; what nobody took is yielded first next time."""
        stdout = self._process.stdout.fileno()
        while True:
            while self._inbox:
                yield self._inbox.pop(0)
            if not _ready(stdout, select.POLLIN, deadline):
                return
            try:
                data = os.read(stdout, _CHUNK)
            except BlockingIOError:
                continue
            if not data:
                raise KernelGoneError(self._obituary())
            self._inbox += self._parse(data)

    def _parse(self, data: bytes) -> list[tuple[Channel, Message]]:
        try:
            return [(channel, self._read(parts)) for channel, parts in self._reader.feed(data)]
        except (
            FrameError,
            ValueError,
            TypeError,
            KeyError,
        ) as error:  # the cell can write to the pipe as well
            raise KernelGoneError(f"it does not keep to the protocol ({error})") from None

    def _read(self, parts: list[bytes]) -> Message:
        message: Message = self._session.deserialize(self._session.feed_identities(parts)[1])
        if not isinstance(message["content"], dict) or not isinstance(message["parent_header"], dict):
            raise TypeError("a message without content or parent")
        return message

    def _obituary(self) -> str:
        """Say how it ended; also when only its pipe did."""
        try:
            code = self._process.wait(_DEATH_PATIENCE)
        except (subprocess.TimeoutExpired, SandboxError):
            return "it has closed its connection"
        if self._process.stopped_by is not None:
            return f"it was killed for exceeding {self._process.stopped_by}"
        return f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"it exited with {code}"

    def _last_words(self) -> str:
        stderr = self._process.stderr.fileno()
        with contextlib.suppress(OSError):
            if _ready(stderr, select.POLLIN, time.monotonic() + 1.0):
                text = os.read(stderr, _CHUNK).decode(errors="replace").strip()[-2000:]
                return f"\n{text}" if text else ""
        return ""


def _ready(descriptor: int, event: int, deadline: float) -> bool:
    poller = select.poll()
    poller.register(descriptor, event)
    return bool(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _dict(value: Any) -> Message:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
