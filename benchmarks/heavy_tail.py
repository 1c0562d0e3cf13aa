"""Step times with a heavy tail: most are short, a few are very long, as with tools, browsers and judges."""

from __future__ import annotations

import math

import numpy as np

MEDIAN = 0.010  # seconds
SIGMA = 1.5
MEAN = MEDIAN * math.exp(SIGMA**2 / 2)  # 31 ms


class StepTimes:
    """One session's, each drawn when it is needed.

    Args:
        seed: Makes them repeat.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def draw(self) -> float:
        """Return the next step's time in seconds."""
        return float(self._rng.lognormal(math.log(MEDIAN), SIGMA))
