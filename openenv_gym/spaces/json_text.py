"""A text space whose texts are JSON documents: for values that have no shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np

from openenv_gym.spaces.json_examples import draw_example
from openenv_gym.spaces.schema import Schema
from openenv_gym.spaces.text import DEFAULT_MAX_LENGTH, Text
from openenv_gym.spaces.value_codec import JSON_KINDS

_KINDS_OF_TYPE: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "integer": frozenset({int, float}),
    "number": frozenset({int, float}),
    "null": frozenset({NoneType}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}
_BLANKS: dict[type, str] = {
    NoneType: "null",
    bool: "true",
    int: "0",
    float: "0",
    str: '""',
    list: "[]",
    dict: "{}",
}


class JsonText(Text):
    """Texts that are one JSON document each, of the types that a JSON Schema names at its top.

    Membership is syntax: whether a document satisfies the rest of its schema is for the environment to say.
    Samples do satisfy it.

    Args:
        schema: The JSON Schema of the documents; references in it must be its own (``$defs``).
        max_length: Longest text, in characters.
        seed: Seed, or generator, of the samples.
    """

    def __init__(
        self,
        schema: Schema = True,
        max_length: int = DEFAULT_MAX_LENGTH,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(max_length, min_length=1, seed=seed)
        # As text it is compared, hashed and copied for next to nothing, and a batch copies spaces often.
        self._schema_text = json.dumps(schema, sort_keys=True)

    @property
    def schema(self) -> Schema:
        """The JSON Schema of the documents."""
        schema: Schema = _parsed(self._schema_text)
        return schema

    @property
    def kinds(self) -> frozenset[type]:
        """The Python types that a document of this space can have."""
        return kinds_of(self.schema)

    @property
    def blank(self) -> str:
        """The shortest document of an admissible type."""
        return min((_BLANKS[kind] for kind in self.kinds), key=len)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Draw a document that satisfies the schema; there are no masks.

        Raises:
            SchemaError: No example can be made up, for example for a lookahead in a ``pattern``.
        """
        return dumps(draw_example(self.schema, self.np_random))

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a JSON document of admissible length and type."""
        if not super().contains(x):
            return False
        try:
            return type(loads(x)) in self.kinds
        except ValueError:
            return False

    def __repr__(self) -> str:
        return f"JsonText({self.min_length}, {self.max_length})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, JsonText) and super().__eq__(other) and self._schema_text == other._schema_text
        )

    __hash__ = None  # like every gymnasium space


def kinds_of(schema: Schema) -> frozenset[type]:
    """The Python types of the JSON values that a schema can admit, judged by its ``type`` alone."""
    declared = schema.get("type") if isinstance(schema, Mapping) else None
    if declared is None:
        return JSON_KINDS
    names = [declared] if isinstance(declared, str) else declared
    return frozenset().union(*(_KINDS_OF_TYPE.get(name, JSON_KINDS) for name in names))


def dumps(value: Any) -> str:
    """JSON text of a value, compact; ``NaN`` and infinities as Python writes them.

    Raises:
        TypeError, ValueError, RecursionError: The value has no JSON form.
    """
    return _encoder.encode(value)


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON text is nested too deeply") from None


def _nested_list(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_nested_list)


@lru_cache(maxsize=256)
def _parsed(schema_text: str) -> Any:
    return json.loads(schema_text)
