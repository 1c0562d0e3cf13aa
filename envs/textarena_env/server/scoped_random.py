"""Random numbers of a game's own, for a library that draws from the global generators.

TextArena's games seed and use the module ``random``, and a few ``numpy.random``. In a server with many games
each would change the others' numbers, so `library` gives the games' modules these faces in place of the two
modules: inside `Generators.in_use` they draw from that game's generators, outside from the global ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np


class Generators:
    """Python's and numpy's random numbers of one game.

    Args:
        seed: Equal seeds give equal numbers.
    """

    def __init__(self, seed: int) -> None:
        self.python = random.Random(seed)
        self.numpy = np.random.RandomState(seed % 2**32)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Make the faces draw from here, on this thread, within the block."""
        token = _in_use.set(self)
        try:
            yield
        finally:
            _in_use.reset(token)


_in_use: ContextVar[Generators | None] = ContextVar("_in_use", default=None)


class _PythonRandom:
    """Stands in for the module ``random``."""

    def __getattr__(self, name: str) -> Any:
        generators = _in_use.get()
        own = generators is not None and hasattr(generators.python, name)
        return getattr(generators.python if own and generators else random, name)


class _NumpyRandom:
    """Stands in for ``numpy.random``."""

    def __getattr__(self, name: str) -> Any:
        generators = _in_use.get()
        own = generators is not None and hasattr(generators.numpy, name)
        return getattr(generators.numpy if own and generators else np.random, name)


class _Numpy:
    """Stands in for the module ``numpy``: all but ``random`` is the module's own."""

    random = _NumpyRandom()

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


PYTHON_RANDOM = _PythonRandom()
NUMPY = _Numpy()
