"""WorkbenchPool: interpreters started ahead of need, and used ones ended, both in the background.

An episode's workbench is handed out once and never comes back: nothing of one episode is there in the next.
"""

from __future__ import annotations

import logging
import threading
from collections import deque

from coding_env.server.settings import CodingSettings, ExecutorName
from coding_env.server.workbench import Workbench
from openenv_gym.errors import ClosedError, OpenEnvGymError

logger = logging.getLogger(__name__)

_MAX_USED = 16
_FIRST_SPARES = 2


class WorkbenchPool:
    """Keeps workbenches ready for the executors that are in use. Thread-safe.

    Args:
        settings: How many at most, and everything about them.
    """

    def __init__(self, settings: CodingSettings) -> None:
        self._settings = settings
        self._changed = threading.Condition()
        self._ready: dict[ExecutorName, deque[Workbench]] = {}
        self._wanted = min(_FIRST_SPARES, settings.spares)
        self._used: deque[Workbench] = deque()
        self._closed = False
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin anew after `close`."""
        with self._changed:
            self._closed = False

    def prepare(self, executor: ExecutorName) -> None:
        """Keep workbenches of this kind ready from now on."""
        with self._changed:
            if self._closed or not self._settings.spares:
                return
            self._ready.setdefault(executor, deque())
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="coding-spares", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def take(self, executor: ExecutorName) -> Workbench:
        """A workbench that nobody has used: a prepared one, or one that is started now.

        Raises:
            SandboxError, MissingExtraError: None could be started.
            ClosedError: The pool was closed.
        """
        with self._changed:
            if self._closed:
                raise ClosedError("the Coding environment's server is shutting down")
            ready = self._ready.get(executor)
            bench = ready.popleft() if ready else None
            if ready is not None and bench is None:  # more sessions begin at once than so far
                self._wanted = min(2 * self._wanted, self._settings.spares)
        if bench is not None and not bench.alive:  # killed while it waited, by whoever ran out of memory
            self.discard(bench)
            bench = None
        if bench is None:
            bench = Workbench(self._settings, executor)
        self.prepare(executor)
        return bench

    def ready(self, executor: ExecutorName) -> int:
        """How many of this kind wait to be taken."""
        with self._changed:
            return len(self._ready.get(executor, ()))

    def discard(self, bench: Workbench) -> None:
        """End a used workbench in the background; here, when too many wait for that."""
        with self._changed:
            behind = self._closed or self._thread is None or len(self._used) >= _MAX_USED
            if not behind:
                self._used.append(bench)
                self._changed.notify_all()
        if behind:
            bench.close()

    def close(self) -> None:
        """End everything that was not taken, and the thread. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        for benches in (self._used, *self._ready.values()):
            while benches:
                benches.popleft().close()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self._used and self._missing() is None:
                    self._changed.wait()
                if self._closed:
                    return
                executor = self._missing()
                used = self._used.popleft() if self._used and executor is None else None
            if used is not None:
                used.close()
            elif executor is not None:
                self._fill(executor)

    def _missing(self) -> ExecutorName | None:
        for executor, ready in self._ready.items():
            if len(ready) < self._wanted:
                return executor
        return None

    def _fill(self, executor: ExecutorName) -> None:
        try:
            bench = Workbench(self._settings, executor)
        except (OpenEnvGymError, OSError) as error:
            # The session that needs one starts its own, and reports why that fails; then this goes on.
            logger.warning("no interpreter can be kept ready: %s", error)
            with self._changed:
                self._ready.pop(executor, None)
            return
        with self._changed:
            self._ready[executor].append(bench)
