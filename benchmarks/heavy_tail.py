"""Step times with a heavy tail: most are short, a few are very long, as with tools, browsers and judges."""

from __future__ import annotations

import heapq
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


def share_at_no_cost(lanes: int, min_envs: int, seconds: float = 20.0) -> float:
    """Simulate a partial receive in which nothing takes time but the steps themselves.

    Returns:
        The share of their time in which lanes work: less than 1, because who is ready waits for others.
    """
    times = StepTimes(0)
    begun = [0.0] * lanes  # when each lane's running step was sent
    running = [(times.draw(), lane) for lane in range(lanes)]
    heapq.heapify(running)
    now = worked = lived = 0.0
    while now < seconds:
        ready = [heapq.heappop(running) for _ in range(min_envs)]
        now = ready[-1][0]
        for ended, lane in ready:
            worked += ended - begun[lane]
            lived += now - begun[lane]
            begun[lane] = now
            heapq.heappush(running, (now + times.draw(), lane))
    return worked / lived
