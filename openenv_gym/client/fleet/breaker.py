"""When servers that fail every session are replaced, and when replacing them has proved useless. No I/O.

A server that takes sessions and fails each of them looks healthy from outside. It is replaced; if those that
replace it fail alike, it is not the server that is at fault but what all of them run, and starting more of
them is no cure: the circuit opens, and whoever asks for a session is told why instead of waiting.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BreakerRules:
    """How much failure is too much.

    Attributes:
        failures: Episodes in a row that failed at their start, in the reset or the first step, by which one
            server is condemned; ``None`` condemns none, for agents whose first actions may all fail.
        servers: Condemned servers in a row, without one good episode in between, that open the circuit.
        pause: Seconds for which an open circuit stays open before a few sessions may try again.
    """

    failures: int | None = 8
    servers: int = 3
    pause: float = 30.0


class Breaker:
    """The circuit of one fleet.

    Args:
        rules: See there.

    Attributes:
        cause: What the last condemned server failed with, while the circuit is open; ``None`` while it is
            closed.
    """

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._condemned = 0
        self._retry_at = 0.0
        self.cause: str | None = None

    @property
    def wakeup(self) -> float | None:
        """When an open circuit lets sessions try again."""
        return None if self.cause is None else self._retry_at

    def is_suspicious(self, failures: int) -> bool:
        """Whether so many failures in a row on one server are reason to doubt it."""
        return self.cause is None and self._rules.failures is not None and failures >= self._rules.failures

    def condemns(self, now: float, cause: str) -> bool:
        """Judge a server that fails its sessions and is up; return whether to replace it.

        When so many were replaced for nothing that the circuit opens, the servers stay.
        """
        self._condemned += 1
        if self._condemned < self._rules.servers:
            return True
        self.cause = cause
        self._retry_at = now + self._rules.pause
        return False

    def succeeded(self) -> None:
        """Record that an episode began well somewhere."""
        self._condemned = 0
        self.cause = None

    def wake(self, now: float) -> bool:
        """Close the circuit on probation if its time has come, and return whether it has.

        The next server that is condemned opens it again at once.
        """
        if self.cause is None or now < self._retry_at:
            return False
        self.cause = None
        self._condemned = self._rules.servers - 1
        return True
