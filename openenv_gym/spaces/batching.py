"""Gymnasium's batching and flattening functions for this package's spaces, where its own do not do.

Importing this module registers those that gymnasium looks up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from gymnasium.spaces.utils import flatten, unflatten
from gymnasium.vector.utils import batch_space, create_empty_array

from openenv_gym.spaces.scalar import Scalar
from openenv_gym.spaces.text import Text, index_array, text_of_indices


def batched(space: Space[Any], elements: Sequence[Any], out: Any = None) -> Any:
    """Batch elements, at least one, as gymnasium's `concatenate` does.

    Args:
        space: The space of one element.
        elements: One a lane.
        out: An earlier batch of so many elements, whose arrays are overwritten; ``None`` makes new ones
            (gymnasium's `create_empty_array` takes longer than all the rest).
    """
    if isinstance(space, Dict):
        return {
            name: batched(part, [element[name] for element in elements], None if out is None else out[name])
            for name, part in space.spaces.items()
        }
    if isinstance(space, Tuple):
        columns = zip(*elements, strict=True)
        outs = [None] * len(space.spaces) if out is None else out
        return tuple(map(batched, space.spaces, columns, outs))
    if isinstance(space, Box | Discrete | MultiDiscrete | MultiBinary):
        return np.stack(elements, out=out)
    return tuple(elements)


def unbatched(space: Space[Any], batch: Any) -> Iterator[Any]:
    """Take a batch of elements apart, as gymnasium's `iterate` does.

    Args:
        space: The space of one element; `iterate` wants the batched one, which takes long to build.
        batch: An element of the batched space.

    Raises:
        LookupError, TypeError, ValueError: The batch is of another form, or its parts have different lengths.
    """
    if isinstance(space, Dict):
        names = tuple(space.spaces)
        if unknown := set(batch).difference(names):
            raise KeyError(*unknown)
        columns = [unbatched(part, batch[name]) for name, part in space.spaces.items()]
        rows = zip(*columns, strict=True)
        return map(dict, map(partial(zip, names), rows))  # half the time of a comprehension
    if isinstance(space, Tuple):
        return zip(*(unbatched(part, batch[i]) for i, part in enumerate(space.spaces)), strict=True)
    if isinstance(batch, str):  # which would come apart into characters
        raise TypeError(f"one text, {batch[:40]!r}, for all")
    return iter(batch)


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
