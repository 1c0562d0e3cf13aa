"""Codecs over spaces that a schema gives exactly, by a ``gymnasium_space`` hint or by shape and dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from openenv_gym.errors import SchemaError
from openenv_gym.spaces.container_codecs import ArrayCodec, RecordCodec, RecordField, TupleCodec
from openenv_gym.spaces.scalar_codecs import TextCodec, are_integers, as_array, exact_integer, integer_value
from openenv_gym.spaces.value_codec import Misfit, ValueCodec, are_all


class TensorCodec(ValueCodec):
    """Numbers of one shape and dtype, as an array; in JSON as nested lists.

    Values are converted to the declared dtype: floats may be rounded to a narrower float, since that is
    what declaring it means. Integers that would overflow, or fractions for an integer dtype, are misfits, and
    so is ``NaN``, which is in no ``Box``.

    Args:
        space: Of the elements.
        bounded: Whether a value outside the space's bounds, ``NaN`` included, is a misfit.
        flat: Whether a value is one flat list in C order, whatever the space's shape.
    """

    is_leaf = False

    def __init__(
        self,
        space: spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary,
        *,
        bounded: bool = True,
        flat: bool = False,
    ) -> None:
        kinds = frozenset({list}) if space.shape else frozenset({int, float, bool})
        super().__init__(space, kinds, f"numbers in {space}")
        self._dtype = np.dtype(space.dtype)
        self._shape = space.shape
        self._sent_shape = (math.prod(space.shape),) if flat else space.shape
        self._range = _uniform_range(space) if bounded else (None, None)

    def decode(self, value: Any) -> np.ndarray[Any, Any]:
        try:
            numbers = np.asarray(value)
        except ValueError:  # ragged lists
            raise Misfit(self.expects, value) from None
        if numbers.size and (numbers.dtype.kind == "b") != (self._dtype.kind == "b"):
            raise Misfit(self.expects, value)  # in JSON, true is not 1
        if numbers.shape != self._sent_shape:
            raise Misfit(self.expects, value)
        checked = self._checked(numbers.reshape(self._shape), value)
        return checked.copy() if isinstance(value, np.ndarray) else checked

    def encode(self, element: Any) -> Any:
        try:
            numbers = np.asarray(element)
        except ValueError:
            raise Misfit(self.expects, element) from None
        return self._checked(numbers, element).reshape(self._sent_shape).tolist()

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        layout = (self._sent_shape, self._dtype)
        if are_all(np.ndarray, values) and {(value.shape, value.dtype) for value in values} == {layout}:
            stacked = out if out is not None else np.empty((len(values), *self._shape), self._dtype)
            np.stack(values, out=stacked.reshape(len(values), *self._sent_shape))
            if self._holds(stacked) if self._range is not None else all(map(self._holds, stacked)):
                return stacked
        return super().decode_column(values, out)

    def _checked(self, numbers: np.ndarray[Any, Any], original: Any) -> np.ndarray[Any, Any]:
        if numbers.size == 0 and numbers.shape == self._shape:
            return np.empty(self._shape, self._dtype)
        if numbers.shape != self._shape or numbers.dtype.kind not in "biuf":
            raise Misfit(self.expects, original)
        converted = numbers if numbers.dtype == self._dtype else self._converted(numbers, original)
        if not self._holds(converted):
            raise Misfit(self.expects, original)
        return converted

    def _converted(self, numbers: np.ndarray[Any, Any], original: Any) -> np.ndarray[Any, Any]:
        with np.errstate(invalid="ignore", over="ignore"):
            converted = numbers.astype(self._dtype)
        # Equality after the round trip shows overflow and lost fractions. Floats may be rounded, no more.
        if self._dtype.kind != "f":
            is_kept = np.array_equal(converted, numbers)
        else:  # what is finite now was so before
            is_kept = np.isfinite(converted).all() or np.array_equal(np.isinf(converted), np.isinf(numbers))
        if not is_kept:
            raise Misfit(self.expects, original)
        return converted

    def _holds(self, array: np.ndarray[Any, Any]) -> bool:
        """Ask whether the space contains an array of its own shape and dtype, which is not empty.

        With a uniform range, the array may as well be a stack of such arrays.
        """
        if self._range is None:
            return bool(self.space.contains(array))
        low, high = self._range  # a NaN is its array's minimum, and not at or above any bound
        return (low is None or bool(array.min() >= low)) and (high is None or bool(array.max() <= high))


def _uniform_range(space: spaces.Space[Any]) -> tuple[Any, Any] | None:
    """Give the bounds of a box that has the same for all its elements, ``None`` for one that needs no look.

    Images are mostly of all the values that their dtype has; `Box.contains` takes ten times as long as
    copying such a frame.
    """
    if not isinstance(space, spaces.Box) or not space.low.size:
        return None
    low, high = space.low.min(), space.high.max()
    if (space.low != low).any() or (space.high != high).any():
        return None
    if low.dtype.kind == "f":
        return low, high
    if low.dtype.kind == "b":
        return None, None
    limits = np.iinfo(low.dtype)
    return (low if low > limits.min else None), (high if high < limits.max else None)


class DiscreteCodec(ValueCodec):
    """An integer of a ``Discrete`` space, as it is."""

    space: spaces.Discrete

    def __init__(self, space: spaces.Discrete) -> None:
        first, last = int(space.start), int(space.start) + int(space.n) - 1
        super().__init__(space, frozenset({int, float}), f"an integer within [{first}, {last}]")
        self._range = range(first, last + 1)

    def decode(self, value: Any) -> np.integer[Any]:
        integer = integer_value(value)
        if integer is None or integer not in self._range:
            raise Misfit(self.expects, value)
        return self.space.dtype.type(integer)

    def encode(self, element: Any) -> int:
        integer = exact_integer(element)
        if integer is None or integer not in self._range:
            raise Misfit(self.expects, element)
        return integer

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if are_integers(values, self._range[0], self._range[-1]):
            return as_array(values, self.space.dtype, out)
        return super().decode_column(values, out)

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        if are_integers(elements, self._range[0], self._range[-1], np.int64):
            return [int(element) for element in elements]
        return super().encode_column(elements)


class StackCodec(ValueCodec):
    """A ``Sequence(stack=True)``: an array of items, as one batched element."""

    is_leaf = False

    def __init__(self, item: ValueCodec, space: spaces.Sequence) -> None:
        super().__init__(space, frozenset({list}), "an array")
        self._item = item
        self._items_space = batch_space(space.feature_space, 1)

    def decode(self, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise Misfit(self.expects, value)
        items = [self._item.decode(part) for part in value]
        out: Any = create_empty_array(self._item.space, len(items))
        return concatenate(self._item.space, items, out) if items else out

    def encode(self, element: Any) -> list[Any]:
        return [self._item.encode(part) for part in iterate(self._items_space, element)]


class TaggedCodec(ValueCodec):
    """A ``OneOf`` space given exactly: in JSON the pair ``[index, value]``."""

    is_leaf = False

    def __init__(self, branches: list[ValueCodec], space: spaces.OneOf[Any]) -> None:
        super().__init__(space, frozenset({list}), f"a pair [0 to {len(branches) - 1}, value]")
        self._branches = branches

    def decode(self, value: Any) -> tuple[np.int64, Any]:
        branch, index = self._branch(value)
        return np.int64(index), branch.decode(value[1])

    def encode(self, element: Any) -> list[Any]:
        branch, index = self._branch(element)
        return [index, branch.encode(element[1])]

    def _branch(self, pair: Any) -> tuple[ValueCodec, int]:
        index = exact_integer(pair[0]) if isinstance(pair, list | tuple) and len(pair) == 2 else None
        if index is None or not 0 <= index < len(self._branches):
            raise Misfit(self.expects, pair)
        return self._branches[index], index


def exact_codec(space: spaces.Space[Any], *, bounded: bool = True, flat: bool = False) -> ValueCodec:
    """The codec over a given space.

    Args:
        space: Of the elements.
        bounded: Whether an array outside the space's bounds is a misfit.
        flat: For a space of arrays, whether a value is one flat list; see `TensorCodec`.

    Raises:
        SchemaError: Values of such a space have no JSON form here (``Graph``, custom spaces).
    """
    codec = partial(exact_codec, bounded=bounded)
    match space:
        case spaces.Box() | spaces.MultiDiscrete() | spaces.MultiBinary():
            return TensorCodec(space, bounded=bounded, flat=flat)
        case spaces.Discrete():
            return DiscreteCodec(space)
        case spaces.Text():
            return TextCodec(space)
        case spaces.Dict():
            fields = {name: RecordField(codec(part)) for name, part in space.spaces.items()}
            return RecordCodec(fields, space=space)
        case spaces.Tuple():
            return TupleCodec([codec(part) for part in space.spaces], space)
        case spaces.Sequence(stack=True):
            return StackCodec(codec(space.feature_space), space)
        case spaces.Sequence():
            return ArrayCodec(codec(space.feature_space), space=space)
        case spaces.OneOf():
            return TaggedCodec([codec(part) for part in space.spaces], space)
    raise SchemaError(f"values of a {type(space).__name__} space have no JSON form here: {space}")
