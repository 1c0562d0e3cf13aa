"""A thread that runs functions in order until it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

_Job = tuple[Callable[[], Any], Callable[[Any], None]]


class JobThread:
    """A daemon thread: a call that never returns must not keep the interpreter from exiting.

    Args:
        name: The thread's name.
        at_end: Called on the thread, last of all.
    """

    def __init__(self, name: str, at_end: Callable[[], None]) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._at_end = at_end
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def put(self, function: Callable[[], Any], deliver: Callable[[Any], None]) -> None:
        """Run a function, which must not raise, and deliver its result; both on the thread."""
        self._jobs.put((function, deliver))

    def stop(self) -> None:
        """End after the jobs put so far."""
        self._jobs.put(None)

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                function, deliver = job
                deliver(function())
                del job, function, deliver  # keep nothing alive while waiting for the next one
        finally:
            self._at_end()
