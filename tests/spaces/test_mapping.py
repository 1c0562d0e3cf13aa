"""Which schema becomes which space, and how its values look as elements."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, OneOf, Sequence, Space, Tuple

from openenv_gym.spaces import ArraySequence, JsonText, Scalar, Text, codec_for

NULL = {"type": "null"}
STRING = {"type": "string"}
INTEGER = {"type": "integer"}
INT64 = Scalar(dtype=np.int64)

SPACES: list[tuple[Any, Space[Any]]] = [
    (STRING, Text()),
    ({"type": "string", "minLength": 1, "maxLength": 5}, Text(5, min_length=1)),
    ({"type": "string", "minLength": 2**21}, Text(2**21, min_length=2**21)),
    ({"type": "string", "format": "path"}, Text()),
    ({"type": "boolean"}, Discrete(2)),
    (NULL, Discrete(1)),
    ({"enum": ["a", "b", "a"]}, Discrete(2)),
    ({"const": "a", "type": "string"}, Discrete(1)),
    (INTEGER, INT64),
    ({"type": "integer", "minimum": 5, "maximum": 14}, Discrete(10)),
    ({"type": "integer", "exclusiveMinimum": 4.5, "exclusiveMaximum": 15}, Discrete(10)),
    ({"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, Discrete(2**31)),
    ({"type": "integer", "minimum": 0, "maximum": 2**31}, Scalar(0, 2**31, np.int64)),
    ({"type": "integer", "minimum": 0}, Scalar(0, math.inf, np.int64)),
    ({"type": "integer", "minimum": 0, "maximum": 2**64}, Scalar(0, math.inf, np.int64)),
    ({"type": "number"}, Box(-np.inf, np.inf, (), np.float64)),
    ({"type": "number", "minimum": 0, "maximum": 1}, Box(0, 1, (), np.float64)),
    ({"type": "array", "items": STRING}, Sequence(Text())),
    ({"type": "array", "items": STRING, "maxItems": 3}, ArraySequence(Text(), max_length=3)),
    ({"type": "array", "items": STRING, "uniqueItems": True}, ArraySequence(Text(), unique=True)),
    (
        {"type": "array", "prefixItems": [STRING, INTEGER], "minItems": 2, "maxItems": 2},
        Tuple([Text(), INT64]),
    ),
    ({"type": "array", "shape": [2, 3], "dtype": "float32"}, Box(-np.inf, np.inf, (2, 3), np.float32)),
    (
        {
            "type": "array",
            "shape": [2, 3],
            "dtype": "uint8",
            "items": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 7}},
        },
        Box(0, 7, (2, 3), np.uint8),
    ),
    ({"type": "object", "properties": {"a": INTEGER}, "required": ["a"]}, Dict({"a": INT64})),
    ({"type": "object", "additionalProperties": False}, Dict({})),
    ({"anyOf": [STRING, NULL]}, OneOf([Text(), Discrete(1)])),
    ({"type": ["string", "null"]}, OneOf([Text(), Discrete(1)])),
    ({"anyOf": [STRING, {"anyOf": [NULL, STRING]}, INTEGER]}, OneOf([Text(), Discrete(1), Text(), INT64])),
    ({"anyOf": [STRING, {"type": "string", "title": "T"}]}, Text()),
    ({"anyOf": [{"const": 1}, {"const": True}]}, OneOf([Discrete(1), Discrete(1)])),
    (
        {"type": ["string", "integer"], "minimum": 0, "maximum": 4, "maxLength": 3},
        OneOf([Text(3), Discrete(5)]),
    ),
    ({"type": "integer", "format": "int32", "minimum": 0, "maximum": 4, "unit": "cm"}, Discrete(5)),
    ({"allOf": [STRING], "title": "a string"}, Text()),
    ({"type": "object", "properties": {"a": STRING}}, Dict({"a": OneOf([Text(), Discrete(1)])})),
    ({"type": "object", "properties": {"a": {**STRING, "default": ""}}}, Dict({"a": Text()})),
]


@pytest.mark.parametrize(
    ("schema", "space"), SPACES, ids=lambda part: json.dumps(part) if not isinstance(part, Space) else ""
)
def test_each_kind_of_schema_has_its_space(schema: Any, space: Space[Any]) -> None:
    assert codec_for(schema).space == space


SHAPELESS: list[Any] = [
    True,
    {},
    {"title": "Anything", "default": None},
    {"type": "object"},
    {"type": "object", "additionalProperties": INTEGER},
    {"type": "string", "pattern": "^a+$"},
    {"type": "string", "format": "uuid"},
    {"type": "integer", "multipleOf": 5},
    {"type": "integer", "minimum": 2**63},
    {"type": "array", "items": {"type": "array", "items": INTEGER}, "uniqueItems": True},
    {"type": "array", "prefixItems": [STRING], "items": INTEGER},
    {"type": "object", "properties": {"a": STRING}, "minProperties": 1},
    {"anyOf": [STRING, {}]},
    {"not": STRING},
    {"allOf": [STRING, {"type": "string", "minLength": 2}]},
]


@pytest.mark.parametrize("schema", SHAPELESS, ids=json.dumps)
def test_what_has_no_shape_is_json_text(schema: Any) -> None:
    codec = codec_for({"type": "object", "properties": {"x": schema}, "required": ["x"]})
    assert isinstance(codec.space["x"], JsonText)
    assert codec.text_fields == ("x",)


def test_text_fields_are_named_by_their_paths() -> None:
    anything: dict[str, Any] = {}
    record = {
        "type": "object",
        "properties": {"deep": anything, "plain": STRING},
        "required": ["deep", "plain"],
    }
    schema = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": {"type": "object"}},
            "record": {"anyOf": [record, NULL]},
            "pair": {"type": "array", "prefixItems": [STRING, anything], "minItems": 2, "maxItems": 2},
        },
    }
    assert codec_for(schema).text_fields == ("list[]", "record.deep", "pair[1]")
    assert codec_for(True).text_fields == ("",)


def test_a_recursive_schema_unfolds_once_and_goes_on_as_json_text() -> None:
    schema = {
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
                "required": ["kids"],
            }
        },
        "$ref": "#/$defs/Tree",
    }
    codec = codec_for(schema)
    assert isinstance(codec.space["kids"].feature_space, JsonText)
    tree = {"kids": [{"kids": [{"kids": []}]}, {"kids": []}]}
    assert codec.decode(tree) == {"kids": ('{"kids":[{"kids":[]}]}', '{"kids":[]}')}
    assert codec.encode(codec.decode(tree)) == tree
    codec.space.seed(0)
    assert codec.space.contains(codec.space.sample())


def test_elements_of_bounded_integers_and_enums_start_at_zero() -> None:
    assert codec_for({"type": "integer", "minimum": -3, "maximum": 3}).decode(-3) == 0
    codec = codec_for({"enum": ["x", 3, None, True, [1], 1]})
    for index, value in enumerate(["x", 3, None, True, [1], 1]):
        assert codec.decode(value) == index
        assert codec.encode(index) == value
        assert type(codec.encode(index)) is type(value)


def test_null_and_a_left_out_field_are_branches_of_their_own() -> None:
    schema = {"type": "object", "properties": {"a": {"anyOf": [STRING, NULL]}}}
    codec = codec_for(schema)
    assert codec.space["a"] == OneOf([Text(), Discrete(1), Discrete(1)])
    for value, element in (({"a": "x"}, (0, "x")), ({"a": None}, (1, 0)), ({}, (2, 0))):
        assert codec.decode(value) == {"a": element}
        assert codec.encode({"a": element}) == value


def test_defaults_are_filled_afresh() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": INTEGER, "default": [1]}}}
    codec = codec_for(schema)
    first, second = codec.decode({}), codec.decode({})
    assert codec.encode(first) == {"a": [1]}
    assert first["a"][0] is not second["a"][0]


def test_a_default_that_its_schema_refuses_means_left_out() -> None:
    codec = codec_for({"type": "object", "properties": {"a": {"type": "string", "default": None}}})
    assert codec.space["a"] == OneOf([Text(), Discrete(1)])
    assert codec.decode({}) == codec.decode({"a": None}) == {"a": (1, 0)}
    assert codec.encode({"a": (1, 0)}) == {}


def test_additional_properties_beside_named_ones_are_one_json_text() -> None:
    schema = {
        "type": "object",
        "properties": {"a": INTEGER, "additional_properties": STRING},
        "required": ["a", "additional_properties"],
        "additionalProperties": True,
    }
    codec = codec_for(schema)
    value = {"a": 1, "b": [2], "additional_properties": "mine", "additional_properties_": None}
    element = codec.decode(value)
    assert element["additional_properties"] == "mine"
    assert json.loads(element["additional_properties_"]) == {"b": [2], "additional_properties_": None}
    assert codec.space.contains(element)
    assert codec.encode(element) == value
    assert codec.text_fields == ("additional_properties_",)


def test_a_union_takes_the_type_that_fits_best() -> None:
    codec = codec_for({"anyOf": [{"type": "number"}, INTEGER, {"type": "boolean"}, STRING]})
    for value, branch in ((1.5, 0), (3.0, 0), (3, 1), (True, 2), ("3", 3)):
        assert codec.decode(value)[0] == branch
        encoded = codec.encode(codec.decode(value))
        assert (encoded, type(encoded)) == (value, type(value))


def test_nan_and_infinities_pass_where_nothing_bounds_them() -> None:
    codec = codec_for({"type": "number"})
    for number in (math.nan, math.inf, -math.inf):
        element = codec.decode(number)
        assert codec.space.contains(element)
        np.testing.assert_equal(codec.encode(element), number)
    anything = codec_for(True)
    np.testing.assert_equal(anything.encode(anything.decode([math.nan])), [math.nan])


def test_encode_takes_what_gymnasium_users_pass() -> None:
    schema = {
        "type": "object",
        "properties": {
            "choice": {"enum": ["a", "b"]},
            "flag": {"type": "boolean"},
            "level": {"type": "integer", "minimum": 1, "maximum": 3},
            "count": INTEGER,
            "size": {"type": "number"},
            "items": {"type": "array", "items": INTEGER},
            "either": {"anyOf": [INTEGER, NULL]},
            "text": STRING,
        },
        "required": ["choice", "flag", "level", "count", "size", "items", "either", "text"],
    }
    codec = codec_for(schema)
    wanted = {
        "choice": "b",
        "flag": True,
        "level": 2,
        "count": 7,
        "size": 0.5,
        "items": [1, 2],
        "either": 7,
        "text": "t",
    }
    for element in (
        {
            "choice": 1,
            "flag": True,
            "level": 1,
            "count": 7,
            "size": 0.5,
            "items": (1, 2),
            "either": (0, 7),
            "text": "t",
        },
        OrderedDict(
            text=np.str_("t"),
            choice=np.int64(1),
            flag=np.bool_(True),
            level=np.uint8(1),
            count=np.int32(7),
            size=np.float32(0.5),
            items=np.array([1, 2]),
            either=[np.int64(0), np.float64(7)],
        ),
        {
            "choice": np.array(1),
            "flag": np.array(1),
            "level": np.array(1),
            "count": np.array(7),
            "size": np.array(0.5),
            "items": [np.array(1), np.int8(2)],
            "either": (np.array(0), np.array(7)),
            "text": "t",
        },
    ):
        value = codec.encode(element)
        assert value == wanted
        json.dumps(value)


def test_arrays_from_a_binary_wire_count_as_lists() -> None:
    codec = codec_for({"anyOf": [{"type": "array", "shape": [2], "dtype": "int8"}, NULL]})
    source = np.array([1, 2], np.int8)
    branch, element = codec.decode(source)
    assert branch == 0
    assert element is not source
    assert codec.encode((branch, element)) == [1, 2]
    assert codec_for(True).decode({"a": source}) == '{"a":[1,2]}'
