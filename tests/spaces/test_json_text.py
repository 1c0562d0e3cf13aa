"""JSON text spaces: membership by syntax, samples that satisfy the schema."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from openenv_gym.errors import SchemaError
from openenv_gym.spaces import JsonText, Text
from openenv_gym.spaces.patterns import draw_match

SCHEMAS: list[Any] = [
    True,
    {"type": "object"},
    {"type": "object", "additionalProperties": {"type": "integer", "minimum": 3}, "minProperties": 2},
    {"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"type": "boolean"}},
    {"type": "object", "patternProperties": {"^x_[a-z]+$": {"type": "null"}}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "maxProperties": 1},
    {"type": "string", "pattern": "^(ab|cd){2}$", "minLength": 4},
    *(
        {"type": "string", "format": name}
        for name in ("date-time", "uuid", "email", "ipv4", "ipv6", "date", "uri")
    ),
    {"type": "integer", "multipleOf": 7, "minimum": 1, "exclusiveMaximum": 21},
    {"type": "integer", "multipleOf": 7, "exclusiveMinimum": -14, "maximum": 0},
    {"type": "integer", "multipleOf": 2, "maximum": -5},
    {"type": "integer", "minimum": 2**70},
    {"type": "number", "multipleOf": 0.5},
    {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    {"type": "array", "prefixItems": [{"type": "null"}], "items": {"type": "string"}, "minItems": 2},
    {"type": "array", "prefixItems": [{"type": "null"}], "items": False},
    {"anyOf": [{"type": "string"}, {"type": "object"}]},
    {"allOf": [{"type": "integer", "minimum": 2}, {"maximum": 4}]},
    {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "kids": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["next"],
            }
        },
        "$ref": "#/$defs/Node",
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_samples_satisfy_the_schema(schema: Any) -> None:
    space = JsonText(schema, seed=11)
    samples = [space.sample() for _ in range(40)]
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for sample in samples:
        assert space.contains(sample)
        validator.validate(json.loads(sample))
    again = JsonText(schema, seed=11)
    assert samples == [again.sample() for _ in range(40)]


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "integer", "multipleOf": 10, "minimum": 1, "maximum": 9},
        {"type": "string", "pattern": "^a{3}$", "maxLength": 2},
        {"type": "array", "items": {"type": "null"}, "uniqueItems": True, "minItems": 2},
        {"type": "object", "additionalProperties": False, "minProperties": 1},
        {
            "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}},
            "$ref": "#/$defs/A",
        },
    ],
    ids=json.dumps,
)
def test_what_cannot_be_made_up_is_refused(schema: Any) -> None:
    with pytest.raises(SchemaError, match="can be made up"):
        JsonText(schema, seed=0).sample()


def test_membership_is_of_syntax_and_type() -> None:
    space = JsonText({"type": "object"}, max_length=20)
    assert space.contains('{"a": 1}')
    for other in ("[]", "{", "", '{"a": "' + "x" * 20 + '"}', 3, "[" * 20):
        assert not space.contains(other)
    assert JsonText().contains("[" * 100_000) is False


def test_copies_are_equal() -> None:
    space = JsonText({"type": "object"}, seed=1)
    assert copy.deepcopy(space) == pickle.loads(pickle.dumps(space)) == space
    assert space != JsonText()
    assert space != Text(min_length=1)
    assert Text(min_length=1) != space
    assert repr(space) == "JsonText(1, 1048576)"


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[a-z0-9_-]{3,8}$",
        r"^(foo|ba[rz])+\.[A-Z]\d*$",
        r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$",
        r"\bword\b",
        r"[^abc\]x-]+?",
        r"(?P<year>\d{4})-(?:0[1-9]|1[0-2])\\\.",
        r"^\x41\u0042[]a]\s\S\W.$",
        r"\Aab{,2}c{2,}\Z",
        "",
    ],
)
def test_drawn_texts_match_their_pattern(pattern: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert re.search(pattern, draw_match(pattern, rng))


@pytest.mark.parametrize(
    "pattern", ["(", "a)", "[", "[]", "a{x}", "*a", r"(a)\1", r"\p{L}", "(?i)a", "a\\", "(?=b)a", "[^ -~]"]
)
def test_other_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(SchemaError, match="no text can be made up"):
        draw_match(pattern, np.random.default_rng(0))
