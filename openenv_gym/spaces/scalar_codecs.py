"""Codecs of single values: text, enumerations, booleans, integers, numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from openenv_gym.spaces.json_equality import json_equal, json_key
from openenv_gym.spaces.scalar import Scalar
from openenv_gym.spaces.text import Text
from openenv_gym.spaces.value_codec import ABSENT, Absent, Misfit, ValueCodec, are_all

INT64 = np.iinfo(np.int64)


def exact_integer(element: Any) -> int | None:
    """The integer that a Python, numpy or tensor scalar is; ``None`` when it is something else."""
    if isinstance(element, np.bool_):
        return int(element)
    try:
        return operator.index(element)
    except TypeError:
        return None


def are_integers(column: Sequence[Any], low: int, high: int, kind: type = int) -> bool:
    """Whether all are of exactly this integer type, and within bounds."""
    return are_all(kind, column) and low <= min(column) and max(column) <= high


def as_array(numbers: Sequence[Any], dtype: Any, out: Any) -> np.ndarray[Any, Any]:
    """A column of numbers as an array: written into ``out``, or a new one if that is ``None``."""
    if out is None:
        return np.array(numbers, dtype=dtype)
    out[:] = numbers
    written: np.ndarray[Any, Any] = out
    return written


def plain_number(element: Any) -> int | float | None:
    """The number that a Python, numpy or tensor scalar is; ``None`` when it is something else."""
    if getattr(element, "ndim", None) == 0:
        element = element.item()
    return element if isinstance(element, int | float) and not isinstance(element, bool) else None


class TextCodec(ValueCodec):
    """A string, as itself."""

    def __init__(self, space: Any) -> None:
        expects = f"text of {space.min_length} to {space.max_length} characters"
        if not isinstance(space, Text):
            expects += f" out of {space.characters!r}"
        super().__init__(space, frozenset({str}), expects)

    def decode(self, value: Any) -> str:
        if not self.space.contains(value):
            raise Misfit(self.expects, value)
        return str(value)

    def encode(self, element: Any) -> str:
        return self.decode(element)

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if self._is_plain_column(values):
            return tuple(values)
        return super().decode_column(values, out)

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        if self._is_plain_column(elements):
            return list(elements)
        return super().encode_column(elements)

    def _is_plain_column(self, texts: Sequence[Any]) -> bool:
        return are_all(str, texts) and isinstance(self.space, Text) and self.space.contains_each(texts)


class EnumCodec(ValueCodec):
    """One of a table of JSON values, as its index: ``Discrete(len(table))``."""

    def __init__(self, table: Iterable[Any]) -> None:
        self._index: dict[Any, np.int64] = {}
        self.table: list[Any] = []
        for value in table:
            if json_key(value) not in self._index:
                self._index[json_key(value)] = np.int64(len(self.table))
                self.table.append(value)
        expects = f"one of {', '.join(map(repr, self.table))}" if len(self.table) > 1 else repr(self.table[0])
        super().__init__(Discrete(len(self.table)), frozenset(map(type, self.table)), expects)
        if self.kinds & {int, float}:
            self.kinds |= {int, float}

    def decode(self, value: Any) -> np.int64:
        try:
            # A string is its own key, and most tables are of strings.
            return self._index[value if type(value) is str else json_key(value)]
        except (KeyError, TypeError):
            raise Misfit(self.expects, value) from None

    def encode(self, element: Any) -> Any:
        index = exact_integer(element)
        if index is None or not 0 <= index < len(self.table):
            raise Misfit(f"an index from 0 to {len(self.table) - 1} ({self.expects})", element)
        value = self.table[index]
        return deepcopy(value) if isinstance(value, list | dict) else value

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if are_all(str, values) and self._index.keys() >= set(values):
            return as_array([self._index[value] for value in values], np.int64, out)
        return super().decode_column(values, out)

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        if are_integers(elements, 0, len(self.table) - 1, np.int64) and not self.kinds & {list, dict}:
            return [self.table[index] for index in elements]
        return super().encode_column(elements)


class AbsentCodec(ValueCodec):
    """A field that is left out, as the only element of ``Discrete(1)``.

    Args:
        default: What the field's default is when the field's own schema does not admit it (pydantic allows
            ``field: str = None``): that value counts as left out, too.
    """

    def __init__(self, default: Any = ABSENT) -> None:
        super().__init__(Discrete(1), frozenset({Absent, type(default)}), "no such field")
        self._default = default

    def decode(self, value: Any) -> np.int64:
        if value is ABSENT or (self._default is not ABSENT and json_equal(value, self._default)):
            return np.int64(0)
        raise Misfit(self.expects, value)

    def encode(self, element: Any) -> Any:
        if exact_integer(element) != 0:
            raise Misfit("0 (the field is left out)", element)
        return ABSENT


class BooleanCodec(ValueCodec):
    """``false`` and ``true``, as 0 and 1."""

    def __init__(self) -> None:
        super().__init__(Discrete(2), frozenset({bool}), "true or false")

    def decode(self, value: Any) -> np.int64:
        if not isinstance(value, bool):
            raise Misfit(self.expects, value)
        return np.int64(value)

    def encode(self, element: Any) -> bool:
        index = exact_integer(element)
        if index not in (0, 1):
            raise Misfit("0 or 1", element)
        return index == 1

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if are_all(bool, values):
            return as_array(values, np.int64, out)
        return super().decode_column(values, out)


class IntegerCodec(ValueCodec):
    """An integer without bounds, or with too wide ones for ``Discrete``, as an ``int64``.

    Args:
        low: Smallest value; ``None`` for no bound but that of ``int64``.
        high: Largest value; ``None`` likewise.
    """

    def __init__(self, low: int | None, high: int | None) -> None:
        is_low_open, is_high_open = low is None or low <= INT64.min, high is None or high >= INT64.max
        self._low = INT64.min if low is None or is_low_open else low
        self._high = INT64.max if high is None or is_high_open else high
        space = Scalar(
            -np.inf if is_low_open else self._low, np.inf if is_high_open else self._high, dtype=np.int64
        )
        super().__init__(space, frozenset({int, float}), _range("an integer", self._low, self._high))

    def decode(self, value: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array(self._checked(value, value), dtype=np.int64)

    def encode(self, element: Any) -> int:
        return self._checked(plain_number(element), element)

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if are_integers(values, self._low, self._high):
            return as_array(values, np.int64, out)
        return super().decode_column(values, out)

    def _checked(self, number: Any, original: Any) -> int:
        integer = integer_value(number)
        if integer is None or not self._low <= integer <= self._high:
            raise Misfit(self.expects, original)
        return integer


class IntegerRangeCodec(ValueCodec):
    """An integer within bounds, as its distance from the lower one: ``Discrete(high - low + 1)``.

    ``Discrete(n, start=low)`` would say the same, but trainers ignore ``start``.
    """

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        super().__init__(Discrete(high - low + 1), frozenset({int, float}), _range("an integer", low, high))

    def decode(self, value: Any) -> np.int64:
        integer = integer_value(value)
        if integer is None or not self.low <= integer <= self.high:
            raise Misfit(self.expects, value)
        return np.int64(integer - self.low)

    def encode(self, element: Any) -> int:
        offset = exact_integer(element)
        if offset is None or not 0 <= offset <= self.high - self.low:
            raise Misfit(
                f"an integer from 0 to {self.high - self.low}, meaning value - ({self.low})", element
            )
        return self.low + offset

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if are_integers(values, self.low, self.high):
            return as_array([value - self.low for value in values], np.int64, out)
        return super().decode_column(values, out)

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        if are_integers(elements, 0, self.high - self.low, np.int64):
            return [self.low + int(element) for element in elements]
        return super().encode_column(elements)


class NumberCodec(ValueCodec):
    """A number, as a ``float64``.

    ``NaN`` and the infinities pass where no bound excludes them. An integer that ``float64`` cannot hold is
    a misfit, not a rounded number.

    Args:
        low: Smallest value, or ``-inf``.
        high: Largest value, or ``inf``.
    """

    space: Scalar

    def __init__(self, low: float, high: float) -> None:
        super().__init__(Scalar(low, high), frozenset({int, float}), _range("a number", low, high))
        self._low, self._high = low, high
        self._admits_nan = not self.space.has_bounds

    def decode(self, value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array(self._checked(value, value), dtype=np.float64)

    def encode(self, element: Any) -> float:
        return self._checked(plain_number(element), element)

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if are_all(float, values):
            numbers = as_array(values, np.float64, out)
            if self._admits_nan or bool(((self._low <= numbers) & (numbers <= self._high)).all()):
                return numbers
        return super().decode_column(values, out)

    def _checked(self, number: Any, original: Any) -> float:
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise Misfit(self.expects, original)
        try:
            value = float(number)
        except OverflowError:
            raise Misfit(f"{self.expects} that fits in 64 bits", original) from None
        if value != number and not math.isnan(value):
            raise Misfit(f"{self.expects} that float64 holds exactly", original)
        if not self._low <= value <= self._high and not (self._admits_nan and math.isnan(value)):
            raise Misfit(self.expects, original)
        return value


def integer_value(value: Any) -> int | None:
    """The integer a JSON number is (``3.0`` is one), else ``None``."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _range(noun: str, low: float, high: float) -> str:
    if low in (-math.inf, INT64.min) and high in (math.inf, INT64.max):
        return f"{noun} of 64 bits" if high == INT64.max else noun
    return f"{noun} within [{low}, {high}]"
