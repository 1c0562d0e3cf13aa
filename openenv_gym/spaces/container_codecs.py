"""Codecs of values made of values: objects, arrays, tuples."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from openenv_gym.spaces.array_sequence import ArraySequence
from openenv_gym.spaces.value_codec import ABSENT, Misfit, ValueCodec, are_all


class RecordField(NamedTuple):
    """One field of a record: its codec, and the JSON value that stands in when it is missing, if any does."""

    codec: ValueCodec
    default: Any = ABSENT


class RecordCodec(ValueCodec):
    """An object with named fields, as a ``Dict``.

    Args:
        fields: The fields by name.
        ignored: Names that may be in a value and are no part of the space.
        extras: The name of the field that takes, as one object, what the schema does not name; ``None`` when
            a name that is not in the schema is an error.
        space: The space, when its exact form is given.
    """

    is_leaf = False

    space: gymnasium.spaces.Dict

    def __init__(
        self,
        fields: Mapping[str, RecordField],
        *,
        ignored: Collection[str] = (),
        extras: str | None = None,
        space: gymnasium.spaces.Dict | None = None,
    ) -> None:
        space = space or gymnasium.spaces.Dict({name: field.codec.space for name, field in fields.items()})
        super().__init__(space, frozenset({dict}), "an object")
        self.fields = dict(fields)
        self._ignored = frozenset(ignored)
        self._known = self._ignored.union(fields)
        self._extras = extras

    def decode(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Misfit(self.expects, value)
        if self._extras is not None:
            value = self._gathered(value)
        element = {}
        num_found = 0
        name = ""
        try:
            for name, (codec, default) in self.fields.items():
                part = value.get(name, ABSENT)
                if part is ABSENT:
                    part = default
                else:
                    num_found += 1
                element[name] = codec.decode(part)
        except Misfit as misfit:
            raise misfit.under(f".{name}") from None
        if num_found != len(value):
            self._refuse_unknown(value)
        return element

    def encode(self, element: Any) -> dict[str, Any]:
        if not isinstance(element, Mapping):
            raise Misfit(f"a dict with the keys {', '.join(self.fields)}", element)
        value = {}
        name = ""
        try:
            for name, (codec, _) in self.fields.items():
                part = codec.encode(element.get(name, ABSENT))
                if part is not ABSENT:
                    value[name] = part
        except Misfit as misfit:
            raise misfit.under(f".{name}") from None
        for name in element:
            if name not in self.fields:
                raise Misfit(f"no keys but {', '.join(self.fields)}", name)
        if self._extras is not None:
            extras = value.pop(self._extras)
            for name in extras.keys() & ((self.fields.keys() - {self._extras}) | self._ignored):
                raise Misfit("a name that is not a field's own", name).under(f".{self._extras}")
            value.update(extras)
        return value

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if not self._is_plain_column(values, self._known):
            return super().decode_column(values, out)
        batch = {}
        for name in self.space.spaces:
            codec, default = self.fields[name]
            column = [value.get(name, default) for value in values]
            batch[name] = codec.decode_column(column, None if out is None else out[name])
        return batch

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        if not self._is_plain_column(elements, self.fields.keys()):
            return super().encode_column(elements)
        values: list[dict[str, Any]] = [{} for _ in elements]
        for name, (codec, _) in self.fields.items():
            parts = codec.encode_column([element.get(name, ABSENT) for element in elements])
            for value, part in zip(values, parts, strict=True):
                if part is not ABSENT:
                    value[name] = part
        return values

    def _is_plain_column(self, rows: Sequence[Any], known: Collection[str]) -> bool:
        """Whether these are dicts with no other keys than known ones, to be taken field by field."""
        if self._extras is not None or not are_all(dict, rows):
            return False
        layouts = set(map(tuple, rows))  # one or two, however many rows
        return all(name in known for layout in layouts for name in layout)

    def text_fields(self, path: str) -> Iterator[str]:
        for name, field in self.fields.items():
            yield from field.codec.text_fields(f"{path}.{name}" if path else name)

    def _gathered(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Move what no field names into one object under the name of the extras field."""
        named = self.fields.keys() | self._ignored
        gathered = {name: part for name, part in value.items() if name in named and name != self._extras}
        extras = {name: part for name, part in value.items() if name not in gathered}
        return {**gathered, str(self._extras): extras}

    def _refuse_unknown(self, value: Mapping[str, Any]) -> None:
        for name in value:
            if name not in self.fields and name not in self._ignored:
                raise Misfit(f"no fields but {', '.join(self.fields)}", name)


class FieldCodec(ValueCodec):
    """An object that stands for one of its fields: the element is that field's.

    Args:
        name: The field.
        record: The object's codec, with that field alone.
    """

    is_leaf = False

    def __init__(self, name: str, record: RecordCodec) -> None:
        super().__init__(record.fields[name].codec.space, record.kinds, record.expects)
        self._name = name
        self._record = record

    def decode(self, value: Any) -> Any:
        return self._record.decode(value)[self._name]

    def encode(self, element: Any) -> dict[str, Any]:
        return self._record.encode({self._name: element})

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        batch = self._record.decode_column(values, None if out is None else {self._name: out})
        return batch[self._name]

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        return self._record.encode_column([{self._name: element} for element in elements])

    def text_fields(self, path: str) -> Iterator[str]:
        return self._record.text_fields(path)


class ArrayCodec(ValueCodec):
    """An array of any length, as a ``Sequence``.

    Args:
        item: The codec of every item.
        min_length: Fewest items.
        max_length: Most items; ``None`` for no bound.
        unique: Whether items must differ.
        space: The space, when its exact form is given.
    """

    is_leaf = False

    def __init__(
        self,
        item: ValueCodec,
        *,
        min_length: int = 0,
        max_length: int | None = None,
        unique: bool = False,
        space: gymnasium.spaces.Sequence | None = None,
    ) -> None:
        self._is_constrained = min_length > 0 or max_length is not None or unique
        if space is None:
            space = (
                ArraySequence(item.space, min_length=min_length, max_length=max_length, unique=unique)
                if self._is_constrained
                else gymnasium.spaces.Sequence(item.space)
            )
        expects = "an array"
        if self._is_constrained:
            expects += f" of {min_length} to {'any number of' if max_length is None else max_length} items"
            expects += ", all different" if unique else ""
        super().__init__(space, frozenset({list}), expects)
        self._item = item

    def decode(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Misfit(self.expects, value)
        items: list[Any] = []
        decode = self._item.decode
        try:
            for part in value:
                items.append(decode(part))
        except Misfit as misfit:
            raise misfit.under(f"[{len(items)}]") from None
        element = tuple(items)
        if self._is_constrained and not self.space.contains(element):
            raise Misfit(self.expects, value)
        return element

    def encode(self, element: Any) -> list[Any]:
        if not isinstance(element, list | tuple | np.ndarray) or getattr(element, "ndim", 1) == 0:
            raise Misfit(f"a tuple ({self.expects})", element)
        values: list[Any] = []
        encode = self._item.encode
        try:
            for part in element:
                values.append(encode(part))
        except Misfit as misfit:
            raise misfit.under(f"[{len(values)}]") from None
        if self._is_constrained and not self.space.contains(tuple(element)):
            raise Misfit(self.expects, element)
        return values

    def text_fields(self, path: str) -> Iterator[str]:
        yield from self._item.text_fields(f"{path}[]")


class TupleCodec(ValueCodec):
    """An array of fixed length with a schema for each place, as a ``Tuple``."""

    is_leaf = False

    def __init__(self, items: list[ValueCodec], space: gymnasium.spaces.Tuple[Any] | None = None) -> None:
        space = space or gymnasium.spaces.Tuple([item.space for item in items])
        super().__init__(space, frozenset({list}), f"an array of {len(items)} items")
        self._items = items

    def decode(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) != len(self._items):
            raise Misfit(self.expects, value)
        return tuple(self._each("decode", value))

    def encode(self, element: Any) -> list[Any]:
        if not isinstance(element, list | tuple | np.ndarray) or getattr(element, "ndim", 1) == 0:
            raise Misfit(self.expects, element)
        if len(element) != len(self._items):
            raise Misfit(self.expects, element)
        return list(self._each("encode", element))

    def decode_column(self, values: Sequence[Any], out: Any) -> Any:
        if not are_all(list, values) or set(map(len, values)) != {len(self._items)}:
            return super().decode_column(values, out)
        columns = zip(*values, strict=True)
        parts = [None] * len(self._items) if out is None else out
        return tuple(
            item.decode_column(column, part)
            for item, column, part in zip(self._items, columns, parts, strict=True)
        )

    def text_fields(self, path: str) -> Iterator[str]:
        for index, item in enumerate(self._items):
            yield from item.text_fields(f"{path}[{index}]")

    def _each(self, direction: str, parts: Any) -> Iterator[Any]:
        for index, (item, part) in enumerate(zip(self._items, parts, strict=True)):
            try:
                yield getattr(item, direction)(part)
            except Misfit as misfit:
                raise misfit.under(f"[{index}]") from None
