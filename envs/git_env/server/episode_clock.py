"""EpisodeClock: the time that git sees, derived from the seed and the step instead of a wall clock.

Commit hashes cover dates. With this clock, equal actions after equal seeds give equal hashes, and relative
dates ("2 days ago") mean the same in every run.
"""

from __future__ import annotations

import random

_SECONDS_A_STEP = 60
_SPREAD = 7 * 24 * 3600
# Where a repository has no commits: 2025-01-01 00:00 UTC.
_EARLIEST = 1_735_689_600


class EpisodeClock:
    """Tells the time of each step of one episode.

    Args:
        seed: Of the episode; equal seeds give equal clocks.
    """

    def __init__(self, seed: int) -> None:
        self._offset = random.Random(seed).randrange(_SPREAD)

    def at(self, step: int, newest: int) -> int:
        """Seconds since 1970 at one step.

        Args:
            step: Counted from 0, the reset.
            newest: Time of the newest commit that the repository came with; the episode lies after it.
        """
        return max(newest, _EARLIEST) + self._offset + step * _SECONDS_A_STEP
