"""One node of a codec tree: a JSON value to an element of a gymnasium space, and back."""

from __future__ import annotations

import enum
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any, ClassVar

from gymnasium.spaces import Space

from openenv_gym.spaces.batching import batched


class Absent(enum.Enum):
    """The one value of this enum stands for a field that a JSON object does not have."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT

#: Every type a JSON value can have in Python.
JSON_KINDS: frozenset[type] = frozenset({str, bool, int, float, NoneType, list, dict})


def kind_of(value: Any) -> type:
    """The type, out of :data:`JSON_KINDS`, as which a value counts; its own when it is no JSON value.

    Arrays, which a binary codec delivers as they are, count as the lists they would be in JSON.
    """
    kind = type(value)
    if kind in JSON_KINDS:
        return kind
    if isinstance(value, tuple) or getattr(value, "ndim", 0) > 0:
        return list
    return next((base for base in kind.__mro__ if base in JSON_KINDS), kind)


class Misfit(Exception):
    """A value does not fit its schema, or an element its space.

    Args:
        expected: What would have fitted, as a noun phrase.
        actual: What came instead.
    """

    def __init__(self, expected: str, actual: Any) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual
        self._steps: list[str] = []

    @property
    def depth(self) -> int:
        """How many containers the misfit is inside of."""
        return len(self._steps)

    def under(self, step: str) -> Misfit:
        """Prefix the path by one step (``.name`` or ``[3]``) while the error rises through a container."""
        self._steps.append(step)
        return self

    @property
    def path(self) -> str:
        """Where the misfit is, for example ``repos[2].name``; empty for the whole value."""
        return "".join(reversed(self._steps)).removeprefix(".")

    def message(self, whole: str) -> str:
        """Say where, what was expected and what came; ``whole`` names the value when the path is empty."""
        actual = "nothing" if self.actual is ABSENT else f"{type(self.actual).__name__} {_short(self.actual)}"
        return f"{self.path or whole}: expected {self.expected}, got {actual}"


def are_all(kind: type, values: Sequence[Any]) -> bool:
    """Whether every value is of exactly this type, not of a subclass (a ``bool`` is no ``int``)."""
    return set(map(type, values)) == {kind}


class ValueCodec(ABC):
    """Translates the values of one subschema, one by one or a column (one value a lane) at a time.

    A column costs a fraction of its values one by one, and gives what those give. Subclasses take it at once
    when its values are as plain as they mostly are; any other column they leave to this class, which takes it
    value by value. So what fits, and what is said of what does not, is decided in one place.

    Attributes:
        space: The gymnasium space of the elements.
        kinds: The Python types of the JSON values that can possibly fit; unions choose their branch by it.
        expects: What fits, as a noun phrase for error messages.
    """

    #: Whether an element is one immutable scalar or string, so that elements can be told apart by value.
    is_leaf: ClassVar[bool] = True

    def __init__(self, space: Space[Any], kinds: frozenset[type], expects: str) -> None:
        self.space = space
        self.kinds = kinds
        self.expects = expects

    @abstractmethod
    def decode(self, value: Any) -> Any:
        """Turn a JSON value into a fresh element of :attr:`space`.

        Raises:
            Misfit: The value does not fit the schema.
        """

    @abstractmethod
    def encode(self, element: Any) -> Any:
        """Turn an element of :attr:`space` into a JSON value.

        Raises:
            Misfit: The element is not in the space.
        """

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        """Turn JSON values, at least one, into a batch of elements.

        Args:
            values: One a lane.
            out: An earlier batch of so many elements, whose arrays are overwritten; ``None`` makes new ones.

        Raises:
            Misfit: One of the values does not fit; `decode` tells which and where.
        """
        return batched(self.space, [self.decode(value) for value in values], out)

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        """Turn elements of :attr:`space`, at least one, into a JSON value each.

        Raises:
            Misfit: One of the elements is not in the space; `encode` tells which and where.
        """
        return [self.encode(element) for element in elements]

    def text_fields(self, path: str) -> Iterator[str]:
        """Yield the paths below ``path`` that are carried as JSON text."""
        yield from ()


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60


def _short(value: Any) -> str:
    return _repr.repr(value)
