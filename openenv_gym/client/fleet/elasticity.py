"""How many servers a fleet should have, by what waits and what lies idle. No I/O; time is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SPARE = 0.25  # of the room that is left after one server fewer stays free, or the next reset starts it again


@dataclass(frozen=True)
class ElasticityRules:
    """The bounds of a fleet's size, and how quickly it moves between them.

    Attributes:
        min_size: Fewest servers.
        max_size: Most servers.
        up_after: Seconds for which sessions must have waited before a server is added.
        down_after: Seconds for which a server must have been superfluous before it is taken away.
    """

    min_size: int
    max_size: int
    up_after: float = 1.0
    down_after: float = 60.0


@dataclass(frozen=True)
class Load:
    """What a fleet carries.

    Attributes:
        servers: Servers that run or are being started.
        starting: Those of them that are being started.
        sessions: Sessions that run.
        waiting: Sessions that wait for a place.
        emptiest: The fewest sessions that one running server has.
        capacity: Sessions a server takes; ``None`` where nobody told.
    """

    servers: int
    starting: int
    sessions: int
    waiting: int
    emptiest: int
    capacity: int | None


class Elasticity:
    """Moves a fleet's target size.

    Args:
        rules: Bounds and pace.
        size: The target to begin with.

    Attributes:
        target: How many servers there should be.
    """

    def __init__(self, rules: ElasticityRules, size: int) -> None:
        self.target = size
        self._rules = rules
        self._short_since: float | None = None
        self._idle_since: float | None = None

    def set_target(self, size: int) -> None:
        """Set the target by hand; bounds that exclude it give way to it."""
        rules = self._rules
        self._rules = ElasticityRules(
            min(rules.min_size, size), max(rules.max_size, size), rules.up_after, rules.down_after
        )
        self.target = size
        self._short_since = self._idle_since = None

    def observe(self, now: float, load: Load) -> None:
        """Take note of the load; moves `target` when it has asked for that long enough."""
        missing = self._missing(load)
        self._short_since = _since(self._short_since, now, missing > 0)
        self._idle_since = _since(self._idle_since, now, self._is_superfluous(load))
        rules = self._rules
        if self._short_since is not None and now - self._short_since >= rules.up_after:
            self.target = min(rules.max_size, max(self.target, load.servers + missing))
            self._short_since = None
        if self._idle_since is not None and now - self._idle_since >= rules.down_after:
            self.target = max(rules.min_size, self.target - 1)
            self._idle_since = None

    def _missing(self, load: Load) -> int:
        """How many servers those that wait would fill, less those that are on their way."""
        return math.ceil(load.waiting / (load.capacity or load.waiting or 1)) - load.starting

    def _is_superfluous(self, load: Load) -> bool:
        if load.waiting or load.starting or load.servers < self.target:
            return False
        if load.emptiest == 0 or load.capacity is None:
            return load.emptiest == 0
        return load.sessions <= (load.servers - 1) * load.capacity * (1 - _SPARE)


def _since(since: float | None, now: float, holds: bool) -> float | None:
    """Since when a condition has held."""
    return (now if since is None else since) if holds else None
