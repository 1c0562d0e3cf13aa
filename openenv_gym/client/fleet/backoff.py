"""When the next server is started where the last one failed. No I/O; time is an argument."""

from __future__ import annotations

_FIRST_PAUSE = 0.5  # seconds; doubled with every further failure
_LONGEST_PAUSE = 60.0
_PROOF = 30.0  # seconds of service after which earlier failures are forgotten


class Backoff:
    """The failures of one place of a fleet, and the growing pauses that they cost.

    A server that had been up is replaced at once; a pause comes only when that happens again and again.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._served_since: float | None = None

    def served(self, now: float) -> None:
        """Record that a server is up."""
        self._served_since = now

    def failed(self, now: float) -> float:
        """Record that a server could not be started, or is lost; return when to start the next."""
        since, self._served_since = self._served_since, None
        if since is not None and now - since >= _PROOF:
            self._failures = 0
        self._failures += 1
        if self._failures == 1 and since is not None:
            return now
        return now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures - 1, 20))
