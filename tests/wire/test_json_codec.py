"""JSON in both directions: nothing changes in silence, and nothing but the declared errors comes out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import math
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv_gym.wire import json_codec
from openenv_gym.wire.messages import Op
from tests.wire.json_values import finite_values, frames, values


def same(left: object, right: object) -> bool:
    """Equality by type and value, with NaN equal to itself."""
    return repr(left) == repr(right)


@given(values)
def test_what_is_encoded_comes_back_unchanged(value: object) -> None:
    assert same(json_codec.decode(json_codec.encode(value)), value)


@given(st.lists(values | st.just({"text": "a\n\u2028\x85b", "null": [None, math.nan]}), max_size=4))
def test_each_is_encoded_as_it_is_alone(several: list[object]) -> None:
    assert json_codec.encode_each(several) == [json_codec.encode(value) for value in several]


@given(finite_values)
def test_the_text_is_standard_json(value: object) -> None:
    assert same(json.loads(json_codec.encode(value)), value)


@given(finite_values)
def test_anybodys_json_is_read(value: object) -> None:
    assert same(json_codec.decode(json.dumps(value)), value)
    assert same(json_codec.decode(json.dumps(value, indent=1).encode()), value)


@given(frames)
def test_nonsense_is_refused_by_the_declared_error_only(data: str | bytes) -> None:
    with contextlib.suppress(json_codec.InvalidJSONError):
        json_codec.decode(data)


@given(
    st.recursive(
        st.one_of(
            values, st.binary(), st.complex_numbers(), st.builds(object), st.characters(categories=["Cs"])
        ),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
        max_leaves=5,
    )
)
def test_what_has_no_json_form_is_refused_by_the_declared_errors_only(value: object) -> None:
    with contextlib.suppress(TypeError, ValueError):
        json_codec.encode(value).encode()
    with contextlib.suppress(TypeError, ValueError):
        "".join(json_codec.encode_each([value])).encode()


def test_floats_that_json_does_not_know_survive() -> None:
    back = json_codec.decode(json_codec.encode([math.nan, math.inf, -math.inf]))
    assert math.isnan(back[0])
    assert back[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize("number", [2**64, -(2**70), 10**400])
def test_integers_of_any_size_survive(number: int) -> None:
    assert json_codec.decode(json_codec.encode({"n": number})) == {"n": number}


@pytest.mark.parametrize("text", ["1e400", "-1e999", '{"reward": 1e400}'])
def test_a_number_out_of_range_is_not_infinity(text: str) -> None:
    with pytest.raises(json_codec.InvalidJSONError, match="range"):
        json_codec.decode(text)


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b'"\xc3\x28"', '"\\ud800"', b'{"a": "\\udc00"}', "", "{", "nul"]
)
def test_what_is_no_json_or_no_unicode_is_refused(data: str | bytes) -> None:
    with pytest.raises(json_codec.InvalidJSONError):
        json_codec.decode(data)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_refused_rather_than_fatal(opening: str) -> None:
    with pytest.raises(json_codec.InvalidJSONError):
        json_codec.decode(opening * 200_000)
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        json_codec.encode(value)
    while isinstance(value, list):  # freed step by step: dropping it whole would recurse as well
        value = value[0]


def test_a_value_inside_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="deeply"):
        json_codec.encode(loop)


def test_arrays_scalars_and_bytes_have_a_form() -> None:
    value = {
        "pixels": np.arange(4, dtype=np.uint8).reshape(2, 2),
        "speed": np.float32(0.5),
        "raw": b"\x00\xff",
    }
    assert json_codec.decode(json_codec.encode(value)) == {
        "pixels": [[0, 1], [2, 3]],
        "speed": 0.5,
        "raw": "AP8=",
    }


@pytest.mark.parametrize(
    "value",
    [None, [None, 1.5], {"a": None, "b": "null"}, "null", {"x": float("inf"), "y": None}, [2**80, -0.0]],
    ids=repr,
)
def test_null_is_only_what_was_none(value: object) -> None:
    assert json_codec.decode(json_codec.encode(value)) == value


def test_sets_become_lists_whichever_encoder_takes_them() -> None:
    assert json_codec.encode({"s": {1}}) == '{"s":[1]}'
    assert json_codec.encode({"s": {1}, "n": None}) == '{"s":[1],"n":null}'


@dataclasses.dataclass
class Point:
    x: int
    y: object


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Point(1, "a"), {"x": 1, "y": "a"}),
        (Op.STEP, "step"),
    ],
)
def test_a_value_has_the_same_form_beside_a_null_as_without(value: object, form: object) -> None:
    assert json_codec.decode(json_codec.encode([value])) == [form]
    assert json_codec.decode(json_codec.encode([value, None])) == [form, None]


@pytest.mark.parametrize("value", [object(), 1j, [object(), None], Point(1, object())])
def test_what_has_no_form_is_a_type_error_that_says_so(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        json_codec.encode(value)
