"""A ``Box`` of shape ``()``: one number."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class Scalar(gymnasium.spaces.Box):
    """One ``int64`` or ``float64``, bounded or not; equal to the plain ``Box`` of the same bounds.

    It differs from ``Box`` where that one is awkward with a single number: samples are always 0-d arrays,
    numpy scalars (what gymnasium hands out of a batch) are contained without a warning, and ``NaN`` is
    contained where no bound excludes it.

    Args:
        low: Smallest value, or ``-inf``.
        high: Largest value, or ``inf``.
        dtype: ``np.int64`` or ``np.float64``.
        seed: Seed, or generator, of the samples.
    """

    def __init__(
        self,
        low: float = -np.inf,
        high: float = np.inf,
        dtype: type[np.int64] | type[np.float64] = np.float64,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(low, high, shape=(), dtype=dtype, seed=seed)

    @property
    def has_bounds(self) -> bool:
        """Whether any bound is set."""
        return bool(self.bounded_below) or bool(self.bounded_above)

    def sample(self, mask: None = None, probability: None = None) -> np.ndarray[Any, Any]:
        """Draw a number: uniform between two bounds, else exponential from the one, else normal."""
        low, high = self.low.item(), self.high.item()
        if self.bounded_below and self.bounded_above:
            return self._uniform(low, high)
        if self.bounded_below:
            drawn = low + self._whole(self.np_random.exponential(10))
        elif self.bounded_above:
            drawn = high - self._whole(self.np_random.exponential(10))
        else:
            drawn = self._whole(self.np_random.normal(scale=10))
        return np.array(min(max(drawn, low), high), dtype=self.dtype)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a number within the bounds, as a Python number, numpy scalar or 0-d array."""
        if not isinstance(x, int | float | np.generic | np.ndarray):
            return False
        number = np.asarray(x)
        if number.shape != () or number.dtype.kind not in "iuf" or not np.can_cast(number.dtype, self.dtype):
            return False
        if np.isnan(number):
            return not self.has_bounds
        return bool(self.low <= number <= self.high)

    def _uniform(self, low: Any, high: Any) -> np.ndarray[Any, Any]:
        if self.dtype.kind == "i":
            return np.array(self.np_random.integers(low, high, endpoint=True), dtype=self.dtype)
        share = self.np_random.random()  # not uniform(low, high): high - low may be beyond float64
        return np.array(min(max(low * (1 - share) + high * share, low), high), dtype=self.dtype)

    def _whole(self, drawn: float) -> float:
        return int(drawn) if self.dtype.kind == "i" else drawn
