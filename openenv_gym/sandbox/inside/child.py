"""A forked copy of the helper, and its way to becoming a program."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from openenv_gym.sandbox.inside import rlimits


class Child:
    """A process that waits for its orders, so that it can be forked before they are known: forking is slow.

    It leads a session and a process group of its own from the start.

    Args:
        stdio: Its three standard descriptors.
        before_exec: Called in the child, last before the program.
    """

    def __init__(self, stdio: Sequence[int], before_exec: Callable[[], None]) -> None:
        orders, self._orders = os.pipe()
        self._report, report = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._orders)
            _become(stdio, orders, report, before_exec)
        os.close(orders)
        os.close(report)

    def execute(self, request: dict[str, Any], processes: int) -> None:
        """Become the program of ``request``; returns once it runs.

        Args:
            request: What to run, where, and its limits.
            processes: How many tasks its user may have, see `rlimits.apply`.

        Raises:
            OSError: What the child met on the way; it has ended and is reaped.
        """
        with os.fdopen(self._orders, "wb", buffering=0) as file:
            file.write(json.dumps({**request, "processes": processes}).encode())
        message = bytearray()
        while chunk := os.read(self._report, 4096):
            message += chunk
        os.close(self._report)
        if message:
            os.waitpid(self.pid, 0)
            code, _, text = message.decode().partition(" ")
            raise OSError(int(code), text)

    def forget(self) -> None:
        """End a child that got no orders, and reap it: as a zombie it would take the place of a program."""
        os.close(self._orders)
        os.close(self._report)
        with contextlib.suppress(ChildProcessError):  # it was killed, and reaped with the others
            # Its id is its own until it is reaped. A program of its user may have stopped it: hence SIGKILL.
            if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)


def _become(stdio: Sequence[int], orders: int, report: int, before_exec: Callable[[], None]) -> None:
    """From fork to exec; never returns."""
    try:
        os.setsid()
        for target, descriptor in enumerate(stdio):
            os.dup2(descriptor, target)
        with os.fdopen(orders, "rb", buffering=0) as file:
            text = file.read()
        if text:
            request = json.loads(text)
            os.chdir(request["cwd"])
            rlimits.apply(request["limits"], request["processes"])
            before_exec()
            _execute(request["argv"], request["environ"])
    except OSError as error:
        os.write(report, f"{error.errno} {error.strerror}".encode())
    except BaseException as error:  # noqa: BLE001 - whatever it is, a forked copy must not live on
        os.write(report, f"{errno.EIO} {type(error).__name__}: {error}".encode())
    finally:
        os._exit(127)


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
