"""numpy, loaded when one of its names is first used: ``from openenv_gym import lazy_numpy as np``.

For code that passes on arrays where there are any: a server of texts, and each of its worker processes, does
without. ``isinstance(value, np.ndarray)`` loads numpy too, so look first whether the value has ``__array__``.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import numpy

    value = globals()[name] = getattr(numpy, name)
    return value
