from __future__ import annotations

import contextlib
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from openenv_gym.wire import pipe

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DTYPES = (
    npst.boolean_dtypes()
    | npst.integer_dtypes(endianness="=")
    | npst.unsigned_integer_dtypes(endianness=">")
    | npst.floating_dtypes(endianness="=", sizes=(16, 32, 64))
    | npst.unicode_string_dtypes(endianness="=", max_len=4)
)


def there_and_back(value: Any) -> Any:
    frame = pipe.encode(value)
    assert pipe.body_size(frame[: pipe.HEADER_SIZE]) == len(frame) - pipe.HEADER_SIZE
    return pipe.decode(frame[pipe.HEADER_SIZE :])


@given(VALUES)
def test_values_arrive_as_they_left(value: Any) -> None:
    assert repr(there_and_back(value)) == repr(value)


@given(npst.arrays(DTYPES, npst.array_shapes(min_dims=0, min_side=0)))
def test_arrays_arrive_as_they_left(array: np.ndarray[Any, Any]) -> None:
    arrived = there_and_back({"array": array})["array"]
    assert arrived.dtype == array.dtype.newbyteorder("<")
    assert arrived.shape == array.shape
    assert arrived.flags.writeable
    np.testing.assert_array_equal(arrived, array)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_frame_error(body: bytes) -> None:
    with contextlib.suppress(pipe.FrameError):
        pipe.decode(body)


def test_nan_and_great_integers() -> None:
    arrived = there_and_back([math.nan, -math.inf, 10**30, -(2**63) - 1, {"deep": [2**64]}])
    assert math.isnan(arrived[0])
    assert arrived[1:] == [-math.inf, 10**30, -(2**63) - 1, {"deep": [2**64]}]


@pytest.mark.parametrize("value", [object(), np.array([object()]), np.array(["2026-01-01"], "datetime64[D]")])
def test_what_cannot_be_sent_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        pipe.encode({"value": value})


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        pipe.encode(loop)


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe, "MAX_BODY", 100)
    with pytest.raises(pipe.FrameError, match="exceeds the limit"):
        pipe.encode("x" * 100)
    with pytest.raises(pipe.FrameError, match="announces 101 bytes"):
        pipe.body_size((101).to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("dtype", "shape", "data"),
    [("<i4", [3], b"12345678"), ("|O", [1], b"12345678"), ("<i4", [-1], b"1234"), ("nonsense", [1], b"1")],
)
def test_an_array_with_a_false_layout_is_refused(dtype: str, shape: list[int], data: bytes) -> None:
    layout = msgspec.msgpack.encode([dtype, shape, data])
    body = msgspec.msgpack.encode(msgspec.msgpack.Ext(1, layout))
    with pytest.raises(pipe.FrameError):
        pipe.decode(body)
