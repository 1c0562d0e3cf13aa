"""A ``Sequence`` space with bounds on its length, and perhaps without repetitions."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

_MAX_SAMPLED_EXTRA = 4
_MAX_DRAWS_PER_ITEM = 100


class ArraySequence(gymnasium.spaces.Sequence):
    """Tuples of elements of one space, as a JSON array with ``minItems``, ``maxItems``, ``uniqueItems``.

    Args:
        space: The space of the items.
        min_length: Fewest items.
        max_length: Most items; ``None`` for no bound.
        unique: Whether items must differ (only for items that are scalars or strings).
        seed: Seed, or generator, of the samples.
    """

    def __init__(
        self,
        space: gymnasium.Space[Any],
        *,
        min_length: int = 0,
        max_length: int | None = None,
        unique: bool = False,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if min_length < 0 or (max_length is not None and max_length < min_length):
            raise ValueError(f"needs 0 <= min_length <= max_length, got {min_length} and {max_length}")
        self.min_length = min_length
        self.max_length = max_length
        self.unique = unique
        super().__init__(space, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> tuple[Any, ...]:
        """Draw a few items more than the minimum; masks are for the items: ``(None, item_mask)``."""
        item_mask = mask[1] if mask is not None else None
        item_probability = probability[1] if probability is not None else None
        longest = self.min_length + _MAX_SAMPLED_EXTRA
        if self.max_length is not None:
            longest = min(longest, self.max_length)
        length = int(self.np_random.integers(self.min_length, longest, endpoint=True))
        items: list[Any] = []
        for _ in range(length * (_MAX_DRAWS_PER_ITEM if self.unique else 1)):
            item = self.feature_space.sample(mask=item_mask, probability=item_probability)
            if not self.unique or _key(item) not in map(_key, items):
                items.append(item)
            if len(items) == length:
                break
        return tuple(items)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a tuple of admissible length whose items are in the item space."""
        if not isinstance(x, tuple) or len(x) < self.min_length:
            return False
        if self.max_length is not None and len(x) > self.max_length:
            return False
        if not all(map(self.feature_space.contains, x)):
            return False
        return not self.unique or len({_key(item) for item in x}) == len(x)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ArraySequence)
            and super().__eq__(other)
            and (self.min_length, self.max_length, self.unique)
            == (other.min_length, other.max_length, other.unique)
        )

    __hash__ = None  # type: ignore[assignment]  # like every gymnasium space

    def __repr__(self) -> str:
        bounds = f"{self.min_length}, {self.max_length}" + (", unique" if self.unique else "")
        return f"ArraySequence({self.feature_space}, {bounds})"


def _key(item: Any) -> Any:
    """A hashable value that is equal for equal scalars, whatever numpy wraps them in."""
    return item.item() if isinstance(item, np.ndarray | np.generic) else item
