"""Gymnasium's batching and flattening functions for this package's spaces, where its own do not do.

Importing this module registers the functions with gymnasium.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.spaces.utils import flatten, unflatten
from gymnasium.vector.utils import batch_space, create_empty_array

from openenv_gym.spaces.scalar import Scalar
from openenv_gym.spaces.text import Text, index_array, text_of_indices


@batch_space.register(Scalar)
def _batch_scalar(space: Scalar, n: int = 1) -> Box:
    batched = Box(
        np.full(n, space.low),
        np.full(n, space.high),
        dtype=space.dtype.type,
        seed=deepcopy(space.np_random),
    )
    # An integer Box without a bound shows the dtype's limit as its bound; rebuilt from that it would count
    # as bounded, and sampling over the whole range of int64 overflows.
    batched.bounded_below = np.full(n, space.bounded_below)
    batched.bounded_above = np.full(n, space.bounded_above)
    return batched


@create_empty_array.register(Text)
def _create_empty_text(space: Text, n: int = 1, fn: Callable[..., Any] = np.zeros) -> tuple[str, ...]:
    return (space.blank,) * n


@flatten.register(Text)
def _flatten_text(  # type: ignore[misc]  # the fallback is annotated for spaces of its own type variable
    space: Text, x: str
) -> np.ndarray[Any, np.dtype[np.int32]]:
    flat = np.full(space.max_length, len(space.character_set), dtype=np.int32)
    flat[: len(x)] = index_array(x)
    return flat


@unflatten.register(Text)
def _unflatten_text(  # type: ignore[misc]  # likewise
    space: Text, x: np.ndarray[Any, Any]
) -> str:
    return text_of_indices(x)
