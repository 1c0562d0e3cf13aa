"""Calls of tools as spaces: every sampled element is a call that fits its tool, and comes back equal."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import jsonschema
import pytest
from gymnasium.spaces import Dict, Discrete
from gymnasium.utils.env_checker import data_equivalence

from openenv_gym.errors import InvalidActionError
from openenv_gym.spaces import JsonText, Text, ToolCalls, tool_call_codec

NESTED = {
    "type": "object",
    "$defs": {"Place": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
    "properties": {
        "at": {"$ref": "#/$defs/Place"},
        "how": {"enum": ["slow", "fast"]},
        "times": {"type": "integer", "default": 1, "minimum": 0, "maximum": 9},
    },
    "required": ["at", "how"],
    "additionalProperties": False,
}
TOOLS: list[dict[str, Any]] = [
    {
        "name": "say",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
    {"name": "go", "description": "Go there.", "inputSchema": NESTED},
    {"name": "wait", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "any", "inputSchema": {"type": "object"}},
    {"name": "odd", "inputSchema": {"type": "object", "properties": {"x": {"$ref": "elsewhere.json"}}}},
]


def test_the_space_of_each_tool():
    space = tool_call_codec(TOOLS).space
    assert isinstance(space, ToolCalls)
    assert space.tools == ("say", "go", "wait", "any", "odd")
    assert [type(part) for part in space.spaces] == [Dict, Dict, Dict, JsonText, JsonText]
    assert isinstance(space.spaces[0]["text"], Text)
    assert space.spaces[1]["how"] == Discrete(2)


def test_calls_travel_both_ways():
    codec = tool_call_codec(TOOLS)
    call = {"type": "call_tool", "tool_name": "go", "arguments": {"at": {"x": 3}, "how": "fast", "times": 2}}
    number, arguments = codec.decode(call)
    assert (number, arguments["how"], arguments["times"]) == (1, 1, 2)
    assert codec.encode((1, {"at": {"x": 3}, "how": 1, "times": 2})) == call
    assert codec.encode((2, {})) == {"type": "call_tool", "tool_name": "wait", "arguments": {}}
    assert codec.encode((3, '{"free": [1]}'))["arguments"] == {"free": [1]}


def test_every_sample_is_a_call_that_fits_its_tool():
    codec = tool_call_codec(TOOLS)
    codec.space.seed(1)
    for _ in range(200):
        element = codec.space.sample()
        assert codec.space.contains(element)
        call = codec.encode(element)
        tool = next(tool for tool in TOOLS if tool["name"] == call["tool_name"])
        if tool["name"] != "odd":
            jsonschema.validate(call["arguments"], tool["inputSchema"])
        assert data_equivalence(codec.decode(call), (element[0], codec.decode(call)[1]))
        assert codec.encode(codec.decode(call)) == call


@pytest.mark.parametrize(
    ("element", "words"),
    [
        ((9, {}), "0 say, 1 go"),
        ("say", "a pair"),
        ((0, {}), "say.text"),
        ((0, {"text": "a", "volume": 1}), "no keys but text"),
        ((1, {"at": {"x": 1}, "how": 5, "times": 1}), "go.how"),
    ],
    ids=["number", "no pair", "missing", "unknown", "range"],
)
def test_what_is_no_call(element, words):
    with pytest.raises(InvalidActionError, match=words):
        tool_call_codec(TOOLS).encode(element)


def test_copies_are_equal():
    space = tool_call_codec(TOOLS).space
    for copied in (copy.deepcopy(space), pickle.loads(pickle.dumps(space))):
        assert copied == space
        assert copied.tools == space.tools
