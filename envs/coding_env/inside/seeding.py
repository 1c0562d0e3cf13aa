"""Seed what the code may draw from: `random` now, NumPy's global generator when it is imported."""

from __future__ import annotations

import random
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

_NUMPY = "numpy.random"


def seed_generators(seed: int) -> None:
    """Seed `random`, and `numpy.random` now or at its import."""
    random.seed(seed)
    numpy_seed = seed % 2**32
    if _NUMPY in sys.modules:
        sys.modules[_NUMPY].seed(numpy_seed)
    else:
        sys.meta_path.insert(0, _NumpySeeder(numpy_seed))


class _NumpySeeder:
    """Finds one module, once, and seeds it as soon as it is there."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _NUMPY:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_seed(module: types.ModuleType) -> None:
                load(module)
                module.seed(self._seed)

            spec.loader.exec_module = load_and_seed  # type: ignore[method-assign]
        return spec
