"""A column of values gives what its values give one by one: the same batch, or the first one's error."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_gym.errors import SchemaError
from openenv_gym.spaces import SpaceCodec, codec_for, hint_for, observation_codec, unbatched
from openenv_gym.spaces.batching import batched
from tests.spaces.test_round_trip import anything, cases, quick


def assert_same(left: Any, right: Any) -> None:
    """Equality by type, dtype and value all the way down, order of keys included."""
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for name in left:
            assert_same(left[name], right[name])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, np.ndarray | np.generic):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        assert left.tobytes() == right.tobytes()
    else:
        assert repr(left) == repr(right)  # tells -0.0 from 0.0


def assert_decodes_as_one_by_one(codec: SpaceCodec, values: list[Any]) -> Any:
    try:
        elements = [codec.decode(value) for value in values]
    except SchemaError as error:
        with pytest.raises(type(error)) as caught:
            codec.decode_column(values)
        assert str(caught.value) == str(error)
        return None
    expected = concatenate(codec.space, elements, create_empty_array(codec.space, n=len(values)))
    column = codec.decode_column(values)
    assert_same(column, expected)
    return column


def assert_encodes_as_one_by_one(codec: SpaceCodec, elements: list[Any]) -> None:
    try:
        expected = [codec.encode(element) for element in elements]
    except SchemaError as error:
        with pytest.raises(type(error)) as caught:
            codec.encode_column(elements)
        assert str(caught.value) == str(error)
    else:
        assert_same(codec.encode_column(elements), expected)


SCHEMAS: dict[str, tuple[Any, Any]] = {
    # name: schema, and a value that fits it
    "text": ({"type": "string", "minLength": 1, "maxLength": 3}, "b"),
    "enum_of_texts": ({"enum": ["a", "b", ""]}, "b"),
    "enum_of_anything": ({"enum": ["a", 1, 2.5, None, True, [1], {"a": 1}]}, "a"),
    "null": ({"type": "null"}, None),
    "boolean": ({"type": "boolean"}, True),
    "integer": ({"type": "integer"}, 7),
    "integer_from": ({"type": "integer", "minimum": 0}, 7),
    "integer_beyond": ({"type": "integer", "minimum": 1, "maximum": 2**80}, 7),
    "integer_range": ({"type": "integer", "minimum": -1, "maximum": 3}, 2),
    "integer_range_far_off": ({"type": "integer", "minimum": 2**63 - 2, "maximum": 2**63}, 2**63 - 1),
    "number": ({"type": "number"}, 0.25),
    "number_from": ({"type": "number", "minimum": 0}, 0.25),
    "number_within": ({"type": "number", "minimum": -1, "exclusiveMaximum": 3}, 0.25),
    "nullable": ({"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}, None),
    "array": ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, [1]),
    "anything": ({}, 1),
    "array_of_shape": ({"type": "array", "shape": [1], "dtype": "uint8"}, [1]),
}
CANDIDATES: list[Any] = [
    *(None, True, False, 0, 1, 2, 3, 4, 5, 6, -1, -2, 2**31, 2**53 + 1, -(2**63), 2**64, 10**400),
    *(2**63 - 3, 2**63 - 2, 2**63 - 1, 2**63, 2**63 + 1, 2**80, 2**80 + 1),
    *(0.0, -0.0, 0.5, 1.0, 3.0, 2.9999, 3.0001, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "a", "é", "abc", "abcd", "é" * 4, "\ud800", "a\ud800", "null", "[1]", IntEnum("Number", "ONE").ONE),
    *([], [1], [1, 2], [True], [256], (1,), (0, "a"), (1, 0), {}, {"a": 1}, b"a"),
    *(np.int64(1), np.int64(9), np.int32(1), np.bool_(True), np.float64(0.5), np.float32(0.5), np.str_("a")),
    *(np.array(1), np.array([1], np.uint8), np.array([1]), np.array([1.5])),
]


@pytest.mark.parametrize(("schema", "good"), SCHEMAS.values(), ids=SCHEMAS)
def test_every_value_beside_one_that_fits(schema: Any, good: Any) -> None:
    codec = codec_for(schema)
    assert assert_decodes_as_one_by_one(codec, [good, good]) is not None
    for candidate in CANDIDATES:
        for values in ([candidate], [good, candidate], [candidate, good], [candidate, candidate]):
            assert_decodes_as_one_by_one(codec, values)


@pytest.mark.parametrize(("schema", "good"), SCHEMAS.values(), ids=SCHEMAS)
def test_every_element_beside_one_of_the_space(schema: Any, good: Any) -> None:
    codec = codec_for(schema)
    element = codec.decode(good)
    assert codec.encode_column([element, element]) == [good, good]
    for candidate in CANDIDATES:
        for elements in ([candidate], [element, candidate], [candidate, element], [candidate, candidate]):
            assert_encodes_as_one_by_one(codec, elements)


RECORD = {
    "type": "object",
    "properties": {
        "z": {"type": "string"},
        "by_default": {"type": "integer", "default": 3},
        "optional": {"type": "integer"},
        "a": {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "number"}],
            "minItems": 2,
            "maxItems": 2,
        },
        "reward": {"type": "number"},
    },
    "required": ["z", "a", "pair"],
}
WHOLE = {"z": "é", "by_default": 4, "optional": 1, "a": {"b": True}, "pair": ["x", 0.5], "reward": 1.0}
RECORDS: dict[str, Any] = {
    "whole": WHOLE,
    "other_order": dict(reversed(WHOLE.items())),
    "least": {name: WHOLE[name] for name in ("z", "a", "pair")},
    "required_missing": {name: part for name, part in WHOLE.items() if name != "z"},
    "unknown": {**WHOLE, "unknown": 1},
    "unknown_for_another": {
        **{name: part for name, part in WHOLE.items() if name != "optional"},
        "unknown": 1,
    },
    "bad_part": {**WHOLE, "by_default": "x"},
    "bad_inside": {**WHOLE, "a": {"b": 1}},
    "missing_inside": {**WHOLE, "a": {}},
    "short_pair": {**WHOLE, "pair": ["x"]},
    "tuple": {**WHOLE, "pair": ("x", 1)},
    "ordered": OrderedDict(WHOLE),
    "read_only": MappingProxyType(WHOLE),
    "list": [WHOLE],
}


@pytest.mark.parametrize("make", [codec_for, observation_codec], ids=["all_fields", "without_envelope"])
@pytest.mark.parametrize("additional", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize("name", RECORDS)
def test_records(make: Callable[[Any], SpaceCodec], additional: bool, name: str) -> None:
    codec = make({**RECORD, "additionalProperties": additional})
    for other in RECORDS.values():
        assert_decodes_as_one_by_one(codec, [WHOLE, RECORDS[name], other])


@pytest.mark.parametrize("additional", [False, True], ids=["closed", "open"])
def test_elements_of_records(additional: bool) -> None:
    codec = codec_for({**RECORD, "additionalProperties": additional})
    whole, least = codec.decode(WHOLE), codec.decode(RECORDS["least"])
    assert_encodes_as_one_by_one(codec, [whole, least])
    odd = [MappingProxyType(whole), {**whole, "unknown": 1}, {**whole, "z": 3}, {"z": "a"}, 3]
    for element in odd:
        assert_encodes_as_one_by_one(codec, [least, element, whole])


def test_encoded_values_are_the_callers_own() -> None:
    codec = codec_for({"enum": [[1], {"a": 1}, "b"]})
    for encoded in (codec.encode_column([np.int64(0), np.int64(0)]) for _ in range(2)):
        assert encoded == [[1], [1]]
        encoded[0].append(2)


def test_records_without_fields() -> None:
    codec = codec_for({"type": "object", "properties": {}, "additionalProperties": False})
    assert_decodes_as_one_by_one(codec, [{}, {}])
    assert_encodes_as_one_by_one(codec, [{}, {}])


few = settings(quick, max_examples=30)


@few
@given(st.data())
def test_values_under_any_schema(data: st.DataObject) -> None:
    schema, pairs = data.draw(cases)
    values = [value for value, _ in data.draw(st.lists(pairs, min_size=1, max_size=3))]
    codec = codec_for(schema)
    assert assert_decodes_as_one_by_one(codec, values) is not None
    values.insert(data.draw(st.integers(0, len(values))), data.draw(anything))
    assert_decodes_as_one_by_one(codec, values)


@few
@given(data=st.data(), seed=st.integers(0, 2**31), count=st.integers(1, 3))
def test_elements_under_any_schema(data: st.DataObject, seed: int, count: int) -> None:
    codec = codec_for(data.draw(cases)[0])
    codec.space.seed(seed)
    elements = list(unbatched(codec.space, batch_space(codec.space, count).sample()))
    assert_encodes_as_one_by_one(codec, elements)
    elements.insert(data.draw(st.integers(0, count)), data.draw(anything))
    assert_encodes_as_one_by_one(codec, elements)


EXACT: dict[str, spaces.Space[Any]] = {
    "pixels": spaces.Box(0, 255, (2, 3), np.uint8),
    "levels": spaces.Box(1, 250, (2,), np.uint8),
    "uneven": spaces.Box(np.array([0, 10]), np.array([9, 19]), (2,), np.int64),
    "float32": spaces.Box(-1, 1, (2,), np.float32),
    "scalar": spaces.Box(-1, 1, (), np.float64),
    "empty": spaces.Box(0, 1, (0, 2), np.float32),
    "discrete": spaces.Discrete(5, start=-2),
    "multi_discrete": spaces.MultiDiscrete([3, 4]),
    "multi_binary": spaces.MultiBinary(3),
    "text": spaces.Text(5, charset="abc"),
    "tuple": spaces.Tuple([spaces.Discrete(3), spaces.Box(0, 1, (2,))]),
    "stack": spaces.Sequence(spaces.Discrete(3), stack=True),
    "one_of": spaces.OneOf([spaces.Discrete(3), spaces.Text(3)]),
    "dict": spaces.Dict({"z": spaces.Discrete(3), "a": spaces.Box(0, 255, (2,), np.uint8)}),
}
exact_spaces = pytest.mark.parametrize("space", EXACT.values(), ids=EXACT)


@exact_spaces
def test_exact_spaces(space: spaces.Space[Any]) -> None:
    codec = codec_for({"gymnasium_space": hint_for(space)})
    codec.space.seed(3)
    elements = [codec.space.sample() for _ in range(4)]
    assert_encodes_as_one_by_one(codec, elements)
    values = [codec.encode(element) for element in elements]
    assert_decodes_as_one_by_one(codec, values)
    assert_decodes_as_one_by_one(codec, [*values[:3], "nothing such"])


@pytest.mark.parametrize("name", ["pixels", "levels", "uneven", "float32", "scalar", "empty"])
@pytest.mark.parametrize("change", [0, 1, 255, -1, float("nan"), 0.5], ids=str)
def test_arrays_as_a_binary_codec_delivers_them(name: str, change: float) -> None:
    codec = codec_for({"gymnasium_space": hint_for(EXACT[name])})
    codec.space.seed(3)
    arrays = [codec.space.sample() for _ in range(3)]
    assert_decodes_as_one_by_one(codec, arrays)
    changed = np.full(codec.space.shape, change)
    assert_decodes_as_one_by_one(codec, [arrays[0], changed, arrays[1]])
    with np.errstate(invalid="ignore"):
        assert_decodes_as_one_by_one(codec, [arrays[0], changed.astype(codec.space.dtype), arrays[1]])


def test_an_earlier_batch_is_overwritten() -> None:
    def arrays(batch: Any) -> list[Any]:
        return [batch["by_default"], batch["a"]["b"], batch["pair"][1], batch["pixels"]]

    pixels = {"type": "array", "shape": [2], "dtype": "uint8"}
    properties = {**RECORD["properties"], "pixels": pixels}
    codec = codec_for({**RECORD, "properties": properties, "required": [*RECORD["required"], "pixels"]})
    plain = [{**WHOLE, "pixels": np.array([n, n], np.uint8)} for n in (1, 2)]
    odd = [{**RECORDS["tuple"], "pixels": [3, 4]}, {**WHOLE, "by_default": 7.0, "pixels": [5, 6]}]
    out = codec.decode_column(odd)
    for values in (plain, odd):
        fresh, batch = codec.decode_column(values), codec.decode_column(values, out)
        assert_same(batch, fresh)
        assert all(one is other for one, other in zip(arrays(batch), arrays(out), strict=True))


@exact_spaces
def test_batches_are_gymnasiums(space: spaces.Space[Any]) -> None:
    space = deepcopy(space)
    space.seed(4)
    elements = [space.sample() for _ in range(3)]
    batch = batched(space, elements)
    assert_same(batch, concatenate(space, elements, create_empty_array(space, n=3)))
    assert_same(list(unbatched(space, batch)), list(iterate(batch_space(space, 3), batch)))
