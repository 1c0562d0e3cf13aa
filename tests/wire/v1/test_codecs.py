from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from openenv_gym.wire.v1.codecs import (
    JOIN_OVERHEAD,
    SUBPROTOCOLS,
    Codec,
    JsonCodec,
    MsgpackCodec,
    choose_subprotocol,
    codec_for,
)
from openenv_gym.wire.v1.entries import FrameError
from tests.wire.json_values import values

CODECS = [pytest.param(codec_for(name), id=name) for name in SUBPROTOCOLS]
DTYPES = (
    npst.boolean_dtypes()
    | npst.integer_dtypes()
    | npst.unsigned_integer_dtypes()
    | npst.floating_dtypes(sizes=(16, 32, 64))
    | npst.complex_number_dtypes(sizes=(64, 128))
    | npst.unicode_string_dtypes(max_len=4)
    | npst.byte_string_dtypes(max_len=4)
)


def there_and_back(codec: Codec, value: Any) -> Any:
    frame = codec.join([codec.encode(("s", 1, "step", value))])
    (entry,) = codec.decode_requests(frame)
    assert (entry.session, entry.seq, entry.op) == ("s", 1, "step")
    return entry.payload


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
@given(value=values)
def test_values_arrive_as_they_left(codec: Codec, value: Any) -> None:
    assert repr(there_and_back(codec, value)) == repr(value)


@pytest.mark.parametrize("codec", CODECS)
def test_nan_infinity_and_great_integers(codec: Codec) -> None:
    sent = [math.inf, -math.inf, 10**30, -(10**30), 2**64, -(2**63) - 1, {"deep": [2**64 - 1, -(2**63)]}]
    nan, *arrived = there_and_back(codec, [math.nan, *sent])
    assert math.isnan(nan)
    assert arrived == sent


@pytest.mark.parametrize("share", [False, True])
@given(array=npst.arrays(DTYPES, npst.array_shapes(min_dims=0, min_side=0)))
def test_arrays_arrive_as_they_left(share: bool, array: np.ndarray[Any, Any]) -> None:
    arrived = there_and_back(MsgpackCodec(share_arrays=share), {"array": array})["array"]
    assert arrived.dtype == array.dtype.newbyteorder("<")
    assert arrived.shape == array.shape
    assert arrived.flags.writeable is not share
    np.testing.assert_array_equal(arrived, array)


def test_arrays_in_any_memory_order() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    for view in (array.T, array[:, ::-1], array[1:, 1, ::2], np.asfortranarray(array)):
        np.testing.assert_array_equal(there_and_back(MsgpackCodec(), view), view)


def test_a_shared_array_looks_into_its_frame_and_a_copied_one_does_not() -> None:
    pixels = np.arange(210 * 160 * 3, dtype=np.uint8).reshape(210, 160, 3)
    assert there_and_back(MsgpackCodec(share_arrays=True), pixels).base is not None
    assert there_and_back(MsgpackCodec(), pixels).flags.owndata


def test_numpy_scalars_travel_as_numbers() -> None:
    scalars = [np.float32(0.5), np.float64(0.25), np.int64(-3), np.uint8(3), np.bool_(True), np.str_("é")]
    arrived = there_and_back(MsgpackCodec(), scalars)
    assert arrived == [0.5, 0.25, -3, 3, True, "é"]
    assert [type(value) for value in arrived] == [float, float, int, int, bool, str]


def test_what_json_makes_of_arrays_and_bytes() -> None:
    """Documented in wire/README.md: the schema, not the wire, says what they were."""
    sent = {"array": np.array([[1, 2], [3, 4]], np.uint8), "bytes": b"\x00\xff"}
    assert there_and_back(JsonCodec(), sent) == {"array": [[1, 2], [3, 4]], "bytes": "AP8="}


@pytest.mark.parametrize(
    "value",
    [
        object(),
        np.array([object()]),
        np.array(["2026-01-01"], "datetime64[D]"),
        np.zeros(2, [("x", "f4")]),
        np.longdouble(1),
        np.zeros(1, np.longdouble),
    ],
    ids=["object", "objects", "dates", "records", "long double", "long doubles"],
)
def test_what_cannot_be_sent_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        MsgpackCodec().encode(("s", 1, "step", {"value": value}))


@pytest.mark.parametrize("codec", CODECS)
def test_what_can_never_be_sent_is_a_value_error(codec: Codec) -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (loop, [loop, 2**64], "\ud800", 1 << 10**5):
        with pytest.raises(ValueError):
            codec.encode(("s", 1, "step", value))


# --- frames --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 255, 65535, 65536])
def test_joined_entries_are_one_array(codec: Codec, count: int) -> None:
    encoded = [codec.encode(("s", seq, "state", None)) for seq in range(count)]
    frame = codec.join(encoded)
    assert [entry.seq for entry in codec.decode_requests(frame)] == list(range(count))
    size = len(frame.encode() if isinstance(frame, str) else frame)
    assert size <= sum(map(len, encoded)) + count + JOIN_OVERHEAD


@pytest.mark.parametrize("codec", CODECS)
def test_elements_of_a_later_version_are_skipped(codec: Codec) -> None:
    frame = codec.join([codec.encode(("s", 1, "step", {}, 5.0, "new"))])
    (entry,) = codec.decode_requests(frame)
    assert entry.timeout == 5.0


MSGPACK_NONSENSE: list[Any] = [
    b"",
    b"\xc1",
    b"\xdd\xff\xff\xff\xff",
    b"\x91" * 100_000,
    msgspec.msgpack.encode({"session": "s"}),
    msgspec.msgpack.encode([["s", "1", "step"]]),
    msgspec.msgpack.encode([["s", 1]]),
    b"\x91\x94\xa1s\x01\xa4step\xa2\xff\xff",  # text that is no UTF-8
    "[]",
]
JSON_NONSENSE: list[Any] = ["", "[", "{}", '[["s",1]]', '[["s","1","step"]]', "[" * 100_000, "[NaN", b"[]"]


@pytest.mark.parametrize("frame", MSGPACK_NONSENSE, ids=lambda frame: repr(frame[:20]))
def test_msgpack_nonsense_is_a_frame_error(frame: Any) -> None:
    for decode in (MsgpackCodec().decode_requests, MsgpackCodec().decode_replies):
        with pytest.raises(FrameError):
            decode(frame)


@pytest.mark.parametrize("frame", JSON_NONSENSE, ids=lambda frame: repr(frame[:20]))
def test_json_nonsense_is_a_frame_error(frame: Any) -> None:
    for decode in (JsonCodec().decode_requests, JsonCodec().decode_replies):
        with pytest.raises(FrameError):
            decode(frame)


def layout(dtype: Any, shape: Any, raw: bytes) -> bytes:
    return msgspec.msgpack.encode([dtype, shape, raw])


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (1, b""),
        (1, layout("|O", [1], b"\0" * 8)),
        (1, layout("<f4", [2], b"\0" * 4)),
        (1, layout("<f4", [-1], b"\0" * 4)),
        (1, layout("<f4", [-1, -1], b"\0" * 4)),
        (1, layout("<f4", [1] * 33, b"\0" * 4)),
        (1, layout("<f4", [0, 2**62, 2**62], b"")),
        (1, layout("<U0", [10**12], b"")),
        (1, layout("<U999999999", [0], b"") + b"x"),
        (1, layout(">f4", [1], b"\0" * 4)),
        (1, layout("f4,f4", [1], b"\0" * 8)),
        (1, layout(4, [1], b"\0" * 4)),
        (2, b""),
        (2, b"\1" * 1025),
        (7, b"abc"),
        (-2, b"abc"),
    ],
)
def test_hostile_extensions_are_frame_errors(code: int, data: bytes) -> None:
    frame = msgspec.msgpack.encode([["s", 1, "step", msgspec.msgpack.Ext(code, data)]])
    for share in (False, True):
        with pytest.raises(FrameError):
            MsgpackCodec(share_arrays=share).decode_requests(frame)


@given(st.binary(max_size=300), st.data())
def test_any_bytes_are_entries_or_a_frame_error(noise: bytes, data: st.DataObject) -> None:
    codec = MsgpackCodec(share_arrays=True)
    valid = codec.join(
        [codec.encode(("s", 1, "step", {"a": np.ones((2, 3)), "n": 2**70, "t": "x"}, 1.0))] * 2
    )
    at = data.draw(st.integers(0, len(valid)))
    for frame in (noise, valid[:at], valid[:at] + noise, valid[:at] + noise + valid[at + len(noise) :]):
        with contextlib.suppress(FrameError):
            codec.decode_requests(frame)
        with contextlib.suppress(FrameError):
            codec.decode_replies(frame)


@given(st.text(max_size=100), st.integers(0, 60), st.text(max_size=5))
def test_any_text_is_entries_or_a_frame_error(noise: str, at: int, middle: str) -> None:
    valid = '[["s",1,"step",{"a":[1.5,NaN],"t":"\\u00e9"},null],["s",2,"state"]]'
    for frame in (noise, valid[:at] + middle + valid[at:]):
        for decode in (JsonCodec().decode_requests, JsonCodec().decode_replies):
            with contextlib.suppress(FrameError):
                decode(frame)


# --- the choice ----------------------------------------------------------------------------------------


def test_the_server_chooses_its_favourite_among_the_offers() -> None:
    assert choose_subprotocol(["chat", *reversed(SUBPROTOCOLS)]) == "openenv-gym.v1+msgpack"
    assert choose_subprotocol(["openenv-gym.v1+json"]) == "openenv-gym.v1+json"
    assert choose_subprotocol(["openenv-gym.v2+msgpack"]) is None
    make: Callable[[str], Codec] = codec_for
    with pytest.raises(ValueError, match="no subprotocol"):
        make("chat")
