"""From an expanded JSON Schema to a tree of codecs, once per schema.

What Gymnasium has no shape for - maps, values of any type, recursion, ``pattern``, ``multipleOf`` and every
keyword this module does not know - becomes JSON text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Space

from openenv_gym.errors import SchemaError
from openenv_gym.spaces.bounds import integer_bounds, number_bounds
from openenv_gym.spaces.container_codecs import ArrayCodec, FieldCodec, RecordCodec, RecordField, TupleCodec
from openenv_gym.spaces.exact_codecs import exact_codec
from openenv_gym.spaces.hints import space_from_hint
from openenv_gym.spaces.json_equality import json_equal
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.json_text_codec import JsonTextCodec
from openenv_gym.spaces.keywords import CONSTRAINTS, is_expressible, is_record
from openenv_gym.spaces.scalar_codecs import (
    INT64,
    AbsentCodec,
    BooleanCodec,
    EnumCodec,
    IntegerCodec,
    IntegerRangeCodec,
    NumberCodec,
    TextCodec,
)
from openenv_gym.spaces.schema import Schema
from openenv_gym.spaces.text import Text
from openenv_gym.spaces.union_codec import UnionCodec
from openenv_gym.spaces.value_codec import ABSENT, Misfit, ValueCodec

#: Widest range of integers that becomes a ``Discrete``; a wider one becomes a ``Box``.
MAX_DISCRETE = 2**31

#: The field of a record that takes what its schema allows and does not name.
EXTRAS = "additional_properties"

# Formats that admit any text: they say how to show it, or what it becomes.
_FREE_FORMATS = frozenset({None, "binary", "multi-line", "password", "path", "textarea"})


class Compiler:
    """Builds codecs for the schemas of one document.

    Args:
        max_text_length: Bound, in characters, of texts whose schema gives none.
        bounded: Whether arrays outside the bounds of a space given exactly are misfits.
    """

    def __init__(self, max_text_length: int, *, bounded: bool = True) -> None:
        self._max_text_length = max_text_length
        self._bounded = bounded
        self._by_type: dict[str, Callable[[Mapping[str, Any], str], ValueCodec]] = {
            "string": self._string,
            "boolean": lambda schema, path: BooleanCodec(),
            "null": lambda schema, path: EnumCodec([None]),
            "integer": self._integer,
            "number": self._number,
            "array": self._array,
            "object": self._object,
        }

    def compile(self, schema: Schema, path: str = "") -> ValueCodec:
        """Build the codec of one schema.

        Args:
            schema: An expanded schema (:func:`openenv_gym.spaces.schema.expand`).
            path: Where it is, for error messages.

        Raises:
            SchemaError: The schema admits no value, or is malformed; the message names the path.
        """
        try:
            return self._compile(schema, path)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, SchemaError):
                raise
            raise SchemaError(f"{path or 'schema'}: malformed JSON Schema: {error}") from error

    def record(
        self, schema: Mapping[str, Any], path: str = "", ignored: Collection[str] = (), lenient: bool = False
    ) -> RecordCodec:
        """Build the codec of an object with named fields.

        Args:
            schema: An expanded schema with ``properties``.
            path: Where it is, for error messages.
            ignored: Properties that are no part of the space.
            lenient: Whether any field may be missing, and unnamed ones may come.

        Raises:
            SchemaError: As :meth:`compile`.
        """
        required = set() if lenient else set(schema.get("required", ()))
        fields = {
            name: self._field(subschema, name in required, f"{path}.{name}" if path else name)
            for name, subschema in schema.get("properties", {}).items()
            if name not in ignored
        }
        extras = None
        additional = schema.get("additionalProperties", False)
        if additional is not False or lenient:
            extras = EXTRAS
            while extras in fields:
                extras += "_"
            extras_schema = {
                "type": "object",
                "properties": dict.fromkeys((*fields, *ignored), False),
                "additionalProperties": additional or lenient,
            }
            fields[extras] = RecordField(self._json_text(extras_schema))
        return RecordCodec(fields, ignored=ignored, extras=extras)

    def exact_record(self, schema: Mapping[str, Any], ignored: Collection[str]) -> RecordCodec:
        """Build the codec of an object whose ``gymnasium_space`` hint describes it without some fields.

        Properties that the hint does not name are no part of the space either.

        Raises:
            SchemaError: The hint is not of a ``Dict``.
        """
        codec = self._exact(schema["gymnasium_space"])
        if not isinstance(codec, RecordCodec):
            raise SchemaError(f"the gymnasium_space of a whole object must be a Dict, got {codec.space}")
        others = schema.get("properties", {}).keys() - codec.fields.keys()
        return RecordCodec(codec.fields, ignored={*ignored, *others}, space=codec.space)

    def one_field(self, schema: Mapping[str, Any], ignored: Collection[str]) -> FieldCodec:
        """Build the codec of an object that stands for the one of its properties ``gymnasium_field`` names.

        Raises:
            SchemaError: The object has no such property.
        """
        name, properties = schema["gymnasium_field"], schema.get("properties", {})
        if name not in properties:
            raise SchemaError(f"gymnasium_field must be one of {', '.join(properties)}, got {name!r:.80}")
        record = self.record(
            {**schema, "additionalProperties": False}, ignored={*ignored, *properties} - {name}
        )
        return FieldCodec(name, record)

    def _compile(self, schema: Schema, path: str) -> ValueCodec:
        if isinstance(schema, bool):
            if not schema:
                raise SchemaError(f"{path or 'schema'}: the schema 'false' admits no value")
            return self._json_text(schema)
        if "gymnasium_space" in schema:
            return self._exact(schema["gymnasium_space"])
        if "const" in schema:
            return EnumCodec([schema["const"]])
        if "enum" in schema:
            if not schema["enum"]:
                raise SchemaError(f"{path or 'schema'}: an empty enum admits no value")
            return EnumCodec(schema["enum"])
        constraints = CONSTRAINTS & schema.keys()
        for keyword in ("anyOf", "oneOf"):
            if constraints == {keyword}:
                return self._union(schema[keyword], path)
        if not constraints:
            return self._json_text(True)
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._union([{**schema, "type": name} for name in kind], path)
        if kind is None:
            return self._json_text(schema)
        if kind not in self._by_type:
            raise SchemaError(f"{path or 'schema'}: unknown type {kind!r}")
        return self._by_type[kind](schema, path) if is_expressible(schema) else self._json_text(schema)

    def _exact(self, hint: Mapping[str, Any]) -> ValueCodec:
        space = space_from_hint(hint)  # raises where the hint is none
        return exact_codec(space, bounded=self._bounded, flat=hint.get("flat") is True)

    def _json_text(self, schema: Schema) -> ValueCodec:
        return JsonTextCodec(JsonText(schema, self._max_text_length))

    def _field(self, subschema: Schema, is_required: bool, path: str) -> RecordField:
        """A field that may be missing gets its default, or, without one, a branch for being left out."""
        branches = self._branches(subschema, path)
        default = _default(subschema)
        if is_required:
            return RecordField(either(branches))
        codec = either(branches)
        if default is not ABSENT:
            try:
                codec.decode(default)
            except Misfit:
                pass  # pydantic checks no defaults: `field: str = None` is one that its schema refuses
            else:
                return RecordField(codec, default)
        return RecordField(either([*branches, AbsentCodec(default)]))

    def _branches(self, schema: Schema, path: str) -> list[ValueCodec]:
        """The codecs of a schema's forms, so that another can join them in one flat union."""
        codec = self.compile(schema, path)
        return list(codec.branches) if isinstance(codec, UnionCodec) else [codec]

    def _union(self, subschemas: list[Schema], path: str) -> ValueCodec:
        branches: list[ValueCodec] = []
        seen: list[Schema] = []
        for subschema in subschemas:
            if subschema is False or any(json_equal(subschema, other) for other in seen):
                continue
            seen.append(subschema)
            branches += self._branches(subschema, path)
        if not branches:
            raise SchemaError(f"{path or 'schema'}: no alternative admits a value")
        if any(isinstance(branch, JsonTextCodec) and branch.space.schema is True for branch in branches):
            return self._json_text(True)
        return either(branches)

    def _string(self, schema: Mapping[str, Any], path: str) -> ValueCodec:
        if schema.get("format") not in _FREE_FORMATS:
            return self._json_text(schema)
        shortest = schema.get("minLength", 0)
        longest = schema.get("maxLength", max(shortest, self._max_text_length))
        _require_range(path, "text length", shortest, longest)
        return TextCodec(Text(longest, min_length=shortest))

    def _integer(self, schema: Mapping[str, Any], path: str) -> ValueCodec:
        low, high = integer_bounds(schema)
        if low is not None and high is not None:
            _require_range(path, "integer", low, high)
            if high - low < MAX_DISCRETE:
                return IntegerRangeCodec(low, high)
        if (low is not None and low > INT64.max) or (high is not None and high < INT64.min):
            return self._json_text(schema)
        return IntegerCodec(low, high)

    def _number(self, schema: Mapping[str, Any], path: str) -> ValueCodec:
        low, high = number_bounds(schema)
        _require_range(path, "number", low, high)
        return NumberCodec(low, high)

    def _array(self, schema: Mapping[str, Any], path: str) -> ValueCodec:
        if "shape" in schema and "dtype" in schema:
            return exact_codec(_declared_box(schema))
        if "prefixItems" in schema:
            return self._tuple(schema, path)
        item = self.compile(schema.get("items", True), f"{path}[]")
        unique = bool(schema.get("uniqueItems", False))
        if unique and not item.is_leaf:
            return self._json_text(schema)  # a Sequence could not tell repeated items apart
        shortest, longest = schema.get("minItems", 0), schema.get("maxItems")
        _require_range(path, "array length", shortest, math.inf if longest is None else longest)
        return ArrayCodec(item, min_length=shortest, max_length=longest, unique=unique)

    def _tuple(self, schema: Mapping[str, Any], path: str) -> ValueCodec:
        places = schema["prefixItems"]
        ends_there = schema.get("items") is False or schema.get("maxItems") == len(places)
        if not ends_there or schema.get("minItems") != len(places) or schema.get("uniqueItems"):
            return self._json_text(schema)
        return TupleCodec([self.compile(part, f"{path}[{index}]") for index, part in enumerate(places)])

    def _object(self, schema: Mapping[str, Any], path: str) -> ValueCodec:
        return self.record(schema, path) if is_record(schema) else self._json_text(schema)


def _default(schema: Schema) -> Any:
    """The value of a missing field: declared, or empty for an array.

    Pydantic declares no default for ``list[...] = Field(default_factory=list)``, by far the commonest way to
    write a list that may be empty; a branch of its own for that would only stand in every user's way.
    """
    if not isinstance(schema, Mapping):
        return ABSENT
    may_be_empty = schema.get("type") == "array" and not schema.get("minItems") and "shape" not in schema
    return schema.get("default", [] if may_be_empty and "prefixItems" not in schema else ABSENT)


def either(branches: list[ValueCodec]) -> ValueCodec:
    """The codec of a value that takes one of these forms."""
    return branches[0] if len(branches) == 1 else UnionCodec(branches)


def _require_range(path: str, noun: str, low: float, high: float) -> None:
    if low > high:
        raise SchemaError(f"{path or 'schema'}: no {noun} is within [{low}, {high}]")


def _declared_box(schema: Mapping[str, Any]) -> Space[Any]:
    """The Box of an array schema that states ``shape`` and ``dtype``, bounded as its innermost items are."""
    dtype = np.dtype(schema["dtype"])
    items = schema.get("items", {})
    while isinstance(items, Mapping) and "items" in items:
        items = items["items"]
    bounds = items if isinstance(items, Mapping) else {}
    low, high = ("-inf", "inf") if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return space_from_hint(
        {
            "type": "Box",
            "low": bounds.get("minimum", low),
            "high": bounds.get("maximum", high),
            "shape": schema["shape"],
            "dtype": schema["dtype"],
        }
    )
