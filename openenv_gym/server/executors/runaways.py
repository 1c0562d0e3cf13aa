"""Counts author code that outlived its session: nothing in Python can kill a thread."""

from __future__ import annotations

import logging
import threading

logger = logging.getLogger(__name__)


class Runaways:
    """The calls of one server that overran their deadline and still run.

    Args:
        limit: How many a server bears before it should be called unhealthy.

    Attributes:
        limit: As given.
    """

    def __init__(self, limit: int = 16) -> None:
        self.limit = limit
        self._running: dict[object, str] = {}
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many run now."""
        return len(self._running)

    @property
    def healthy(self) -> bool:
        """Whether the count is within the limit."""
        return self.count <= self.limit

    def add(self, key: object, what: str) -> None:
        """Count a runaway.

        Args:
            key: What identifies it, for `remove`. Counting it again changes nothing.
            what: What it is, for the log.
        """
        with self._lock:
            if key in self._running:
                return
            self._running[key] = what
            count = len(self._running)
        logger.error("%s cannot be stopped and runs on (%d such calls in this server)", what, count)

    def remove(self, key: object) -> None:
        """Record that a runaway ended after all; unknown keys are ignored, for most calls never ran away."""
        with self._lock:
            what = self._running.pop(key, None)
        if what is not None:
            logger.warning("%s ended after all", what)
