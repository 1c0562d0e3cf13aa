"""``gymnasium_space`` hints give back exactly equal spaces, and values survive through them."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from pydantic import BaseModel, Field

from openenv_gym.errors import InvalidActionError, SchemaError
from openenv_gym.spaces import (
    ArraySequence,
    JsonText,
    Scalar,
    Text,
    Union,
    action_codec,
    codec_for,
    hint_for,
    observation_codec,
    space_from_hint,
)

HALF_OPEN = spaces.Box(np.array([-np.inf, 0.0]), np.array([1.0, np.inf]), dtype=np.float64)
WIDE = spaces.Box(-(2**62) - 1, 2**62 + 1, (1,), np.int64)
ORDERED = spaces.Dict([("b", spaces.Discrete(2)), ("a", spaces.Discrete(3))])
INT_HALF_OPEN = spaces.Box(0, np.inf, (2,), np.int64)

SPACES: list[spaces.Space[Any]] = [
    spaces.Box(0, 255, (2, 3, 3), np.uint8),
    spaces.Box(-1.0, 1.0, (4,), np.float32),
    spaces.Box(np.float32(0.1), np.float32(0.7), (2, 2), np.float32),
    spaces.Box(np.array([-1.5, 0], np.float64), np.array([2, 0.1], np.float64), dtype=np.float64),
    HALF_OPEN,
    INT_HALF_OPEN,
    spaces.Box(-np.inf, np.inf, (), np.float64),
    WIDE,
    spaces.Box(0, 1, (3, 0), np.float32),
    Scalar(0, 5),
    spaces.Discrete(5),
    spaces.Discrete(5, start=-2),
    spaces.MultiDiscrete([3, 4]),
    spaces.MultiDiscrete(np.array([[3, 4], [1, 2]]), dtype=np.int32, start=np.array([[1, 0], [0, -3]])),
    spaces.MultiBinary(4),
    spaces.MultiBinary((2, 2)),
    spaces.Text(5, min_length=2, charset="abc"),
    Text(7, min_length=1),
    spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Box(0, 1, (1,), np.float32)}),
    ORDERED,
    spaces.Tuple([spaces.Discrete(2), Text(3), spaces.Tuple([spaces.MultiBinary(2)])]),
    spaces.Sequence(spaces.Discrete(3)),
    spaces.Sequence(spaces.Box(0, 1, (2,), np.float32), stack=True),
    spaces.OneOf([spaces.Discrete(3), Text(4)]),
]
if "dtype" in inspect.signature(spaces.Discrete).parameters:  # Gymnasium 1.2 and newer
    SPACES.append(spaces.Discrete(5, start=2, dtype=np.uint8))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_hint_gives_back_an_equal_space(space: spaces.Space[Any]) -> None:
    hint = json.loads(json.dumps(hint_for(space), allow_nan=False))
    copy = space_from_hint(hint)
    assert copy == space
    assert str(copy) == str(space)
    assert hint_for(copy) == hint_for(space)


def test_exact_bounds_order_and_unboundedness_survive() -> None:
    box = space_from_hint(hint_for(INT_HALF_OPEN))
    assert isinstance(box, spaces.Box)
    assert np.array_equal(box.bounded_above, INT_HALF_OPEN.bounded_above)
    assert np.array_equal(box.low, INT_HALF_OPEN.low)
    wide = space_from_hint(hint_for(WIDE))
    assert isinstance(wide, spaces.Box)
    assert wide.high.item() == 2**62 + 1
    assert list(space_from_hint(hint_for(ORDERED))) == ["b", "a"]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_values_of_hinted_spaces_survive_both_ways(space: spaces.Space[Any]) -> None:
    codec = codec_for({"gymnasium_space": hint_for(space)})
    codec.space.seed(3)
    for _ in range(5):
        element = codec.space.sample()
        value = codec.encode(element)
        decoded = codec.decode(json.loads(json.dumps(value)))
        assert space.contains(decoded)
        assert data_equivalence(
            np.asarray(decoded) if space.shape == () else decoded,
            np.asarray(element) if space.shape == () else element,
            exact=True,
        )
        assert codec.encode(decoded) == value


def test_a_hint_overrides_the_schema_of_its_property() -> None:
    box = spaces.Box(0, 2, (2, 2), np.int8)

    class Board(BaseModel):
        cells: list[list[int]] = Field(json_schema_extra={"gymnasium_space": hint_for(box)})
        last: list[float] | None = Field(
            None, json_schema_extra={"gymnasium_space": hint_for(spaces.Box(0, 1, (2,), np.float32))}
        )

    codec = codec_for(Board.model_json_schema())
    assert codec.space["cells"] == box
    assert codec.space["last"] == spaces.OneOf([spaces.Box(0, 1, (2,), np.float32), spaces.Discrete(1)])
    element = codec.decode({"cells": [[0, 1], [2, 0]], "last": None})
    assert element["cells"].dtype == np.int8
    assert codec.space.contains(element)
    assert codec.encode(element) == {"cells": [[0, 1], [2, 0]]}
    assert codec.decode({"cells": [[0, 1], [2, 0]], "last": [0.5, 1]})["last"][0] == 0


def test_a_hint_of_the_whole_observation_passes_over_the_envelope() -> None:
    space = spaces.Dict({"x": spaces.Box(0, 1, (1,), np.float32)})
    schema = {"type": "object", "properties": {}, "gymnasium_space": hint_for(space)}
    codec = observation_codec(schema)
    assert codec.space == space
    assert codec.space.contains(codec.decode({"x": [0.5], "done": True, "metadata": {}}))
    reset = observation_codec(schema, {"type": "object", "properties": {"hi": {"type": "string"}}})
    assert isinstance(reset.space, Union)
    assert reset.decode({"x": [0.5]})[0] == 0


NUMERIC = spaces.Dict({"tiles": spaces.Box(0, 9, (3,), np.float32), "mask": spaces.MultiBinary(2)})
GAME = {
    "type": "object",
    "properties": {
        "tiles": {"type": "array", "items": {"type": "number"}},
        "mask": {"type": "array", "items": {"type": "integer"}},
        "moves": {"type": "array", "items": {"type": "string"}},
        "done": {"type": "boolean"},
    },
    "required": ["tiles", "moves"],
    "gymnasium_space": hint_for(NUMERIC),
}


def test_a_hint_of_a_whole_object_chooses_among_its_properties() -> None:
    codec = observation_codec(GAME)
    assert codec.space == NUMERIC
    states = [{"tiles": [n, 1, 2], "mask": [0, 1], "moves": ["a"] * n, "done": False} for n in range(3)]
    elements = [codec.decode(state) for state in states]
    assert all(codec.space.contains(element) for element in elements)
    assert codec.decode_column(states)["tiles"].tolist() == [[n, 1, 2] for n in range(3)]
    with pytest.raises(SchemaError, match="no fields but mask, tiles"):
        codec.decode({**states[0], "level": 3})


MOVE = {
    "type": "object",
    "properties": {
        "action_id": {"type": "integer", "gymnasium_space": hint_for(spaces.Discrete(4))},
        "game": {"type": "string", "default": "catch"},
        "metadata": {"type": "object"},
    },
    "required": ["action_id"],
    "gymnasium_field": "action_id",
}


def test_an_action_can_be_one_field() -> None:
    codec = action_codec(MOVE)
    assert codec.space == spaces.Discrete(4)
    assert codec.encode(np.int64(3)) == {"action_id": 3}
    assert codec.encode_column(np.array([3, 0])) == [{"action_id": 3}, {"action_id": 0}]
    assert codec.decode({"action_id": 2, "game": "2048", "metadata": {}}) == 2
    with pytest.raises(InvalidActionError, match="action_id: expected an integer within"):
        codec.encode(4)
    with pytest.raises(SchemaError, match="must be one of action_id, game, metadata, got 'move'"):
        action_codec({**MOVE, "gymnasium_field": "move"})
    optional = {**MOVE["properties"]["action_id"], "default": None}  # others may act by something else
    codec = action_codec({**MOVE, "properties": {"action_id": optional}, "required": []})
    assert codec.space == spaces.Discrete(4)
    assert codec.encode(3) == {"action_id": 3}


def test_an_observation_can_be_one_field() -> None:
    box = spaces.Box(-1, 1, (2,), np.float32)
    schema = {"type": "object", "properties": {"x": {"gymnasium_space": hint_for(box)}, "done": {}}}
    codec = observation_codec({**schema, "required": ["x"], "gymnasium_field": "x"})
    assert codec.space == box
    frames = [{"x": [0.5, n / 4], "done": False} for n in range(3)]
    assert codec.decode(frames[1]).dtype == np.float32
    batch = codec.decode_column(frames)
    assert batch.tolist() == [[0.5, n / 4] for n in range(3)]
    assert codec.decode_column(frames[::-1], batch) is batch
    assert batch[0].tolist() == [0.5, 0.5]
    with pytest.raises(SchemaError, match="x: expected numbers in"):
        codec.decode({"x": [7, 7], "done": False})
    text = observation_codec({**schema, "properties": {"x": True}, "gymnasium_field": "x", "required": ["x"]})
    assert text.text_fields == ("x",)


def test_an_array_can_travel_as_a_flat_list() -> None:
    box = spaces.Box(0, 255, (2, 3, 3), np.uint8)
    codec = codec_for({"gymnasium_space": {**hint_for(box), "flat": True}})
    assert codec.space == box
    picture = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    for value in (picture.ravel(), list(range(18))):
        decoded = codec.decode(value)
        assert decoded.flags.writeable and np.array_equal(decoded, picture)
    assert codec.encode(picture) == list(range(18))
    batch = np.zeros((2, 2, 3, 3), np.uint8)
    assert codec.decode_column([picture.ravel(), picture.ravel() + 1], batch) is batch
    assert np.array_equal(batch, [picture, picture + 1])
    assert np.array_equal(codec.decode_column([list(range(18)), picture.ravel() + 1]), batch)
    for wrong in (picture, picture.ravel()[1:], picture.tolist()):
        with pytest.raises(SchemaError, match="expected numbers in"):
            codec.decode(wrong)


def test_decoded_arrays_are_fresh_and_writable() -> None:
    codec = codec_for({"gymnasium_space": hint_for(SPACES[0])})
    source = np.zeros((2, 3, 3), np.uint8)
    source.flags.writeable = False
    decoded = codec.decode(source)
    decoded[0, 0, 0] = 1
    assert source[0, 0, 0] == 0


@pytest.mark.parametrize(
    "space",
    [spaces.Graph(spaces.Discrete(2), None), ArraySequence(Text()), JsonText()],
    ids=["graph", "array_sequence", "json_text"],
)
def test_spaces_without_a_hint_say_so(space: spaces.Space[Any]) -> None:
    with pytest.raises(SchemaError, match="no gymnasium_space hint"):
        hint_for(space)


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ({"type": "Box", "low": 0, "high": 1, "shape": [2]}, "lacks 'dtype'"),
        ({"type": "Box", "low": [0], "high": 1, "shape": [2], "dtype": "float32"}, "not of shape (2,)"),
        ({"type": "Box", "low": 2, "high": 1, "shape": [2], "dtype": "float32"}, "is wrong"),
        ({"type": "Box", "low": 0, "high": 256, "shape": [2], "dtype": "uint8"}, "is wrong"),
        ({"type": "Box", "low": 0.5, "high": 1, "shape": [2], "dtype": "uint8"}, "0.5 is no uint8"),
        ({"type": "Box", "low": 0, "high": 1, "shape": [10**6, 10**6], "dtype": "uint8"}, "more than"),
        ({"type": "Discrete", "n": 0}, "is wrong"),
        ({"type": "Dict", "spaces": [["a", {"type": "Discrete"}]]}, "lacks 'n'"),
        ({"n": 3}, "needs a type"),
        (3, "needs a type"),
    ],
)
def test_a_wrong_hint_says_what_is_wrong(hint: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(message)):
        space_from_hint(hint)


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (spaces.Discrete(3, start=1), 0),
        (spaces.Discrete(3), True),
        (spaces.MultiDiscrete([2, 2]), [0, 2]),
        (spaces.MultiBinary(2), [0, 2]),
        (spaces.Text(3, charset="ab"), "abc"),
        (spaces.OneOf([spaces.Discrete(2)]), [1, 0]),
        (spaces.OneOf([spaces.Discrete(2)]), 0),
        (spaces.Sequence(spaces.Box(0, 1, (1,), np.float32), stack=True), 3),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"a": 0, "b": 1}),
    ],
    ids=str,
)
def test_values_outside_a_hinted_space_are_refused(space: spaces.Space[Any], value: Any) -> None:
    with pytest.raises(SchemaError, match="expected"):
        codec_for({"gymnasium_space": hint_for(space)}).decode(value)


FLOATS = spaces.Box(0, 1, (2,), np.float32)
WHOLE_BYTES = spaces.Box(0, 255, (2,), np.uint8)
LEVELS = spaces.Box(1, 250, (2,), np.uint8)
UNEVEN = spaces.Box(np.array([0, 10]), np.array([9, 19]), (2,), np.int64)
UNBOUNDED = spaces.Box(-np.inf, np.inf, (2,), np.float64)


@pytest.mark.parametrize(
    ("space", "array"),
    [
        (WHOLE_BYTES, np.array([0, 255], np.uint8)),
        (WHOLE_BYTES, np.array([0, 255], np.int64)),
        (LEVELS, np.array([1, 250], np.uint8)),
        (LEVELS, np.array([1, 250], ">i4")),
        (UNEVEN, np.array([9, 10])),
        (FLOATS, np.array([0, 1], np.float32)),
        (FLOATS, np.array([0, 1])),
        (UNBOUNDED, np.array([-np.inf, np.inf])),
        (spaces.MultiBinary(2), np.array([0, 1], np.int8)),
        (spaces.Box(0, 255, (0, 2), np.uint8), np.empty((0, 2), np.uint8)),
    ],
    ids=str,
)
def test_arrays_arrive_as_arrays_of_their_own(space: spaces.Space[Any], array: np.ndarray[Any, Any]) -> None:
    array.flags.writeable = False
    element = codec_for({"gymnasium_space": hint_for(space)}).decode(array)
    assert space.contains(element)
    assert np.array_equal(element, array)
    assert element.flags.writeable and not np.shares_memory(element, array)


@pytest.mark.parametrize(
    ("space", "array"),
    [
        (WHOLE_BYTES, np.array([0, 256])),
        (WHOLE_BYTES, np.array([0, 255, 3], np.uint8)),
        (LEVELS, np.array([0, 250], np.uint8)),
        (LEVELS, np.array([1, 251], np.uint8)),
        (UNEVEN, np.array([10, 10])),
        (FLOATS, np.array([0, np.nan], np.float32)),
        (FLOATS, np.array([-0.1, 0], np.float32)),
        (UNBOUNDED, np.array([0, np.nan])),
        (spaces.MultiBinary(2), np.array([0, 2], np.int8)),
    ],
    ids=str,
)
def test_arrays_outside_their_space_are_refused(
    space: spaces.Space[Any], array: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(SchemaError, match="expected numbers in"):
        codec_for({"gymnasium_space": hint_for(space)}).decode(array)
