"""The screen of the pixel benchmark: an Atari-sized frame in which something moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHAPE = (210, 160, 3)
_BALL = 8  # pixels


class Screen:
    """A ball that crosses a noisy background, a pixel or more a step, as an action says.

    Args:
        seed: Of the background.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._background = rng.integers(0, 256, SHAPE, dtype=np.uint8)
        self._position = 0

    def draw(self, speed: int) -> NDArray[np.uint8]:
        """Move the ball and return a new frame, shape (210, 160, 3), uint8."""
        self._position += speed
        row, column = divmod(self._position % 20_000, SHAPE[1] - _BALL)
        frame = self._background.copy()
        frame[row : row + _BALL, column : column + _BALL] = 255
        return frame
