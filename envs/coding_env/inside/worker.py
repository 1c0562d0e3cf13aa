"""The interpreter that agents' code runs in: one request after the other, until the server is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Protocol

from coding_env.inside.channel import SEED, Channel
from coding_env.inside.seeding import seed_generators


class Executor(Protocol):
    """Something that runs code and keeps its state."""

    def run(self, source: str, filename: str) -> int:
        """Run code and return its exit code."""
        ...


class Worker:
    """Serves one channel.

    The server interrupts code that is out of time by SIGINT, once, and maybe a moment too late: outside of
    code it has no effect.
    """

    def __init__(self, executor: Executor, channel: Channel) -> None:
        self._executor = executor
        self._channel = channel
        self._pid = os.getpid()

    def serve(self) -> None:
        """Answer requests; returns when there is nobody to answer."""
        _ignore_interrupts()
        self._channel.reply(0, 0)
        while (request := self._channel.receive()) is not None:
            number, operation, text = request
            if operation == SEED:
                seed_generators(int(text))
                exit_code = 0
            else:
                exit_code = self._run(text, f"<step {number}>")
            if os.getpid() != self._pid:
                os._exit(exit_code & 0xFF)  # a fork made by the code, at the end of it
            self._channel.reply(number, exit_code)

    def _run(self, source: str, filename: str) -> int:
        try:
            # Not a function of this module, which tracebacks would show.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            exit_code = self._executor.run(source, filename)
            _flush()
            _ignore_interrupts()  # raises the one that may have come by now
        except BaseException:  # noqa: BLE001 - interrupted at the very end
            _ignore_interrupts()
            return 1
        return exit_code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the code may have put anything there, or closed them
            stream.flush()


def _ignore_interrupts() -> None:
    # By a handler, because programs inherit SIG_IGN.
    signal.signal(signal.SIGINT, lambda number, frame: None)


def main() -> None:
    """Serve on the socket that is standard input. Arguments: the executor, folders to import from besides."""
    channel = Channel()
    # As on a terminal: lines of the code and of programs that it starts come in their order.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    executor: Executor
    sys.path += sys.argv[2:]
    if sys.argv[1] == "smolagents":
        from coding_env.inside.smolagents_executor import SmolagentsExecutor

        executor = SmolagentsExecutor()
    else:
        from coding_env.inside.python_executor import PythonExecutor

        executor = PythonExecutor()
    sys.argv[:] = [""]
    sys.path.insert(0, "")
    for name in [name for name in sys.modules if name.partition(".")[0] == "coding_env"]:
        del sys.modules[name]  # what the code finds is Python as it knows it
    try:
        Worker(executor, channel).serve()
    finally:
        os._exit(1)  # whatever ended it, the code's threads and exit handlers are not waited for
