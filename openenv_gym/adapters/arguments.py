"""What callers hand to reset and step for all lanes at once, checked and spread over the lanes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.spaces import Tuple as TupleSpace
from numpy.typing import NDArray

from openenv_gym.errors import InvalidActionError, UsageError
from openenv_gym.spaces import unbatched


def split_actions(space: Space[Any], actions: Any, count: int) -> list[Any]:
    """Split a batch of actions, one a lane.

    Args:
        space: The single action space.
        actions: A value of the batched action space, or a sequence of single actions (values of the
            single action space or ``Action`` models), of length ``count``.
        count: How many lanes.

    Raises:
        UsageError: There are more or fewer actions than lanes.
        InvalidActionError: They are neither of these.
    """
    is_batch = isinstance(space, TupleSpace) and isinstance(actions, tuple)
    is_list = isinstance(actions, list | tuple) and not is_batch
    try:
        split = list(actions if is_list else unbatched(space, actions))
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidActionError(
            "the actions are no value of the batched action space "
            f"({type(error).__name__}: {error}); give one, or a list with one action a lane",
            "VALIDATION_ERROR",
        ) from None
    if len(split) != count:
        raise UsageError(f"{len(split)} actions for {count} lanes: give one a lane")
    return split


def spread_seeds(seed: int | Sequence[int | None] | None, count: int) -> list[int | None]:
    """Give each lane its seed by gymnasium's rule: an int counts up from lane 0."""
    if seed is None:
        return [None] * count
    if isinstance(seed, int | np.integer):
        return [int(seed) + index for index in range(count)]
    seeds = [None if one is None else int(one) for one in seed]
    if len(seeds) != count:
        raise UsageError(f"{len(seeds)} seeds for {count} lanes: give one a lane, or one int for all")
    return seeds


def lane_options(given: Any, count: int) -> dict[int, Mapping[str, Any]]:
    """Read ``options["lanes"]``: a mapping from lane to options, or a sequence with one entry a lane."""
    if given is None:
        return {}
    pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
    options = {int(index): entry or {} for index, entry in pairs}
    if any(not 0 <= index < count for index in options) or (
        not isinstance(given, Mapping) and len(options) != count
    ):
        raise UsageError(f"options['lanes'] holds one entry for each of {count} lanes, or maps lane numbers")
    return options


def check_reset_mask(mask: Any, count: int) -> NDArray[np.bool_]:
    """Check ``options["reset_mask"]`` by gymnasium's rules.

    Raises:
        UsageError: It is not a boolean array of shape ``(count,)`` with at least one ``True``.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,) or not mask.any():
        raise UsageError(
            f"options['reset_mask'] is a bool array of shape ({count},) with at least one True, not {mask!r}"
        )
    return mask
