"""What does not fit fails, and says where, what was expected and what came."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from openenv_gym.errors import InvalidActionError, SchemaError
from openenv_gym.spaces import action_codec, codec_for, hint_for

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


TAGGED = {
    "oneOf": [
        record(kind={"const": "move"}, by=INTEGER),
        record(kind={"const": "say"}, text=STRING),
    ]
}

MISFIT_VALUES: list[tuple[Any, Any, str]] = [
    (STRING, 3, "value: expected text of 0 to 1048576 characters, got int 3"),
    (STRING, "x" * (2**20 + 1), "value: expected text of 0 to 1048576 characters, got str 'xxx"),
    (STRING, "\ud800", "value: expected text"),
    (INTEGER, 2**63, "value: expected an integer of 64 bits, got int 9223372036854775808"),
    (INTEGER, 1.5, "got float 1.5"),
    (INTEGER, True, "got bool True"),
    ({"type": "integer", "minimum": 0}, -1, "expected an integer within [0, "),
    ({"type": "integer", "minimum": 1, "maximum": 3}, 4, "expected an integer within [1, 3], got int 4"),
    ({"type": "number"}, 2**53 + 1, "a number that float64 holds exactly"),
    ({"type": "number"}, 10**400, "a number that fits in 64 bits"),
    ({"type": "number"}, "1", "expected a number, got str '1'"),
    ({"type": "number", "exclusiveMinimum": 0}, 0, "expected a number within"),
    ({"type": "number", "minimum": 0}, float("nan"), "got float nan"),
    ({"type": "boolean"}, 1, "expected true or false, got int 1"),
    ({"enum": ["a", "b"]}, "c", "expected one of 'a', 'b', got str 'c'"),
    ({"enum": [1, "b"]}, True, "got bool True"),
    ({"enum": ["a"]}, ["a"], "got list"),
    ({"type": "null"}, 0, "expected None, got int 0"),
    ({"anyOf": [STRING, {"type": "null"}]}, 3, "expected text of 0 to 1048576 characters or None, got int 3"),
    ({"type": "array", "items": INTEGER}, [1, 2, "x"], "[2]: expected an integer"),
    ({"type": "array", "items": INTEGER, "maxItems": 1}, [1, 2], "expected an array of 0 to 1 items"),
    ({"type": "array", "items": INTEGER, "uniqueItems": True}, [1, 1], "all different"),
    ({"type": "array", "prefixItems": [STRING], "minItems": 1, "maxItems": 1}, [1], "[0]: expected text"),
    (
        {"type": "array", "prefixItems": [STRING], "minItems": 1, "maxItems": 1},
        [],
        "an array of 1 items, got list []",
    ),
    (record(a=record(b=INTEGER)), {"a": {"b": "x"}}, "a.b: expected an integer of 64 bits, got str 'x'"),
    (record(a=INTEGER), {}, "a: expected an integer of 64 bits, got nothing"),
    (record(a=INTEGER), {"a": 1, "z": 2}, "value: expected no fields but a, got str 'z'"),
    (record(a=INTEGER), [1], "value: expected an object, got list [1]"),
    (TAGGED, {"kind": "fly"}, "kind: expected 'move' or 'say', got str 'fly'"),
    (TAGGED, {"kind": "move", "by": "far"}, "by: expected an integer of 64 bits, got str 'far'"),
    ({"type": "object"}, [1], "expected a JSON value of type dict, got list [1]"),
    ({"type": "object"}, {"a": b"bytes"}, "bytes has no JSON form"),
    ({"type": "object"}, {"a": "\ud800"}, "as Unicode text of at most 1048576 characters"),
    ({"type": "integer", "multipleOf": 2}, True, "got bool True"),
    (
        {"type": "array", "shape": [2], "dtype": "uint8"},
        [1, 256],
        "expected numbers in Box(0, 255, (2,), uint8)",
    ),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, [1, -1], "expected numbers in Box"),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, [1, 0.5], "expected numbers in Box"),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, [1], "expected numbers in Box"),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, [True, False], "expected numbers in Box"),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, [[1], [1, 2]], "expected numbers in Box"),
    ({"type": "array", "shape": [2], "dtype": "float32"}, [1, 1e39], "expected numbers in Box"),
    ({"type": "array", "shape": [1], "dtype": "float32"}, [float("nan")], "expected numbers in Box"),
]


@pytest.mark.parametrize(("schema", "value", "message"), MISFIT_VALUES, ids=range(len(MISFIT_VALUES)))
def test_a_value_that_does_not_fit_is_refused(schema: Any, value: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(message)) as caught:
        codec_for(schema).decode(value)
    assert len(str(caught.value)) < 400


MISFIT_ELEMENTS: list[tuple[Any, Any, str]] = [
    (STRING, 3, "value: expected text"),
    ({"enum": ["a", "b"]}, 2, "expected an index from 0 to 1 (one of 'a', 'b'), got int 2"),
    ({"enum": ["a", "b"]}, -1, "expected an index"),
    ({"enum": ["a", "b"]}, "a", "expected an index"),
    ({"enum": ["a", "b"]}, 0.0, "expected an index"),
    ({"enum": ["a", "b"]}, np.array([1]), "expected an index"),
    ({"type": "boolean"}, 2, "expected 0 or 1, got int 2"),
    (
        {"type": "integer", "minimum": 5, "maximum": 6},
        5,
        "expected an integer from 0 to 1, meaning value - (5)",
    ),
    (INTEGER, np.float64(0.5), "expected an integer of 64 bits"),
    (INTEGER, True, "expected an integer of 64 bits"),
    ({"type": "number", "maximum": 1}, np.float32(1.5), "expected a number within"),
    ({"type": "number"}, None, "expected a number, got NoneType None"),
    (record(a=INTEGER), {}, "a: expected an integer of 64 bits, got nothing"),
    (record(a=INTEGER), {"a": 1, "b": 2}, "value: expected no keys but a, got str 'b'"),
    (record(a=INTEGER), 3, "expected a dict with the keys a, got int 3"),
    ({"type": "array", "items": STRING}, "text", "expected a tuple (an array), got str 'text'"),
    ({"type": "array", "items": STRING}, ("a", 1), "[1]: expected text"),
    ({"type": "array", "items": STRING, "minItems": 1}, (), "expected an array of 1 to any number of items"),
    ({"type": "array", "items": STRING}, np.array(1), "expected a tuple"),
    (
        {"type": "array", "prefixItems": [STRING], "minItems": 1, "maxItems": 1},
        ("a", "b"),
        "an array of 1 items",
    ),
    ({"type": "array", "prefixItems": [STRING], "minItems": 1, "maxItems": 1}, 1, "an array of 1 items"),
    ({"anyOf": [STRING, INTEGER]}, "plain", "expected a pair (branch, element) with a branch from 0 to 1"),
    ({"anyOf": [STRING, INTEGER]}, (2, "x"), "expected a pair"),
    ({"anyOf": [STRING, INTEGER]}, (1, "x"), "expected an integer"),
    ({"type": "object", "properties": {"a": STRING}}, {"a": (1, 1)}, "a: expected 0 (the field is left out)"),
    ({"type": "object"}, "{", "expected JSON text ("),
    ({"type": "object"}, "[" * 100_000, "expected JSON text ("),
    ({"type": "object"}, "[]", "expected JSON text of a JSON value of type dict"),
    ({"type": "object"}, {}, "expected JSON text of"),
    (
        {**record(a=STRING), "additionalProperties": True},
        {"a": "x", "additional_properties": '{"a":1}'},
        "own",
    ),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, np.array([0.5, 1]), "expected numbers in Box"),
    ({"type": "array", "shape": [2], "dtype": "uint8"}, [[1], [2, 3]], "expected numbers in Box"),
]


@pytest.mark.parametrize(("schema", "element", "message"), MISFIT_ELEMENTS, ids=range(len(MISFIT_ELEMENTS)))
def test_an_element_that_is_not_in_the_space_is_refused(schema: Any, element: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(message)):
        codec_for(schema).encode(element)


def test_an_action_that_does_not_fit_is_an_invalid_action() -> None:
    codec = action_codec(record(message=STRING))
    with pytest.raises(InvalidActionError, match="message: expected text"):
        codec.encode({"message": 3})
    with pytest.raises(InvalidActionError, match="action: expected a dict with the keys message"):
        codec.encode("hello")
    with pytest.raises(InvalidActionError, match="message: expected text"):
        codec.decode({"message": None})


BAD_SCHEMAS: list[tuple[Any, str]] = [
    (False, "admits no value"),
    ({"enum": []}, "empty enum"),
    ({"anyOf": [False]}, "no alternative"),
    ({"type": "array", "items": False}, "[]: the schema 'false' admits no value"),
    ({"type": "strnig"}, "unknown type 'strnig'"),
    (record(a={"type": "integer", "minimum": 3, "maximum": 2}), "a: no integer is within [3, 2]"),
    ({"type": "number", "minimum": 3, "exclusiveMaximum": 3}, "no number is within"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "no text length is within [3, 2]"),
    ({"type": "array", "minItems": 3, "maxItems": 2}, "no array length is within"),
    ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, "exclusiveMinimum must be a number"),
    ({"type": "string", "minLength": "x"}, "malformed"),
    ({"type": "array", "shape": [2], "dtype": "nope"}, "malformed"),
    ({"type": "object", "properties": []}, "properties must be a mapping"),
    ({"anyOf": {}}, "anyOf must be a list"),
    ("string", "object or a boolean"),
    ({"$ref": "#/$defs/Missing"}, "leads to nothing"),
    ({"$ref": "other.json#/Thing"}, "leads outside"),
    ({"$ref": 3}, "$ref must be text"),
    ({"type": "array", "items": {"$ref": "#"}}, "give the recursive schema a name"),
    ({"gymnasium_space": {"type": "Blob"}}, "needs a type out of"),
]


@pytest.mark.parametrize(("schema", "message"), BAD_SCHEMAS, ids=range(len(BAD_SCHEMAS)))
def test_a_schema_without_values_or_sense_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(message)):
        codec_for(schema)


def test_a_schema_that_explodes_is_refused_early() -> None:
    levels = {
        f"L{n}": record(a={"$ref": f"#/$defs/L{n + 1}"}, b={"$ref": f"#/$defs/L{n + 1}"}) for n in range(40)
    }
    with pytest.raises(SchemaError, match="too large"):
        codec_for({"$defs": {**levels, "L40": STRING}, "$ref": "#/$defs/L0"})
    deep: Any = STRING
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    with pytest.raises(SchemaError, match="too large"):
        codec_for(deep)


def test_a_hint_of_a_whole_observation_must_be_of_a_dict() -> None:
    from gymnasium.spaces import Discrete

    with pytest.raises(SchemaError, match="must be a Dict"):
        action_codec({**record(a=INTEGER), "gymnasium_space": hint_for(Discrete(2))})
