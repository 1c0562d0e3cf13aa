"""Frames for a byte stream between a server and its own workers: a length, then one msgpack value.

Unlike JSON text, bytes and arrays arrive as they left; unlike pickle, decoding runs nobody's code, so a
worker that was taken over cannot take its server over in turn.

::

    frame = length (4 bytes, big-endian) + body
    body  = msgpack, where extension 1 is an array  [dtype, [shape...], little-endian bytes]
                       and extension 2 is an integer beyond 64 bits, as decimal text
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import numpy as np
else:
    from openenv_gym import lazy_numpy as np

HEADER_SIZE = 4
MAX_BODY = 256 * 1024 * 1024  # bytes

_ARRAY = 1
_INTEGER = 2
_ARRAY_KINDS = "biufcSU"  # no objects: those are pickles in disguise


class FrameError(ValueError):
    """A value does not fit in a frame, or bytes are no frame."""


def encode(value: Any) -> bytes:
    """Encode one value as a whole frame.

    Args:
        value: Dicts, lists, text, numbers, booleans, ``None``, bytes and arrays.

    Raises:
        TypeError: A part of it is something else.
        ValueError: It holds text that is not Unicode, contains itself, or is larger than `MAX_BODY`.
    """
    try:
        body = _encoder.encode(value)
    except OverflowError:
        body = _encoder.encode(_wrap_integers(value))
    except RecursionError:
        raise FrameError("the value is nested too deeply, or contains itself") from None
    if len(body) > MAX_BODY:
        raise FrameError(f"a frame of {len(body)} bytes exceeds the limit of {MAX_BODY}")
    return struct.pack(">I", len(body)) + body


def body_size(header: bytes) -> int:
    """Read from the first `HEADER_SIZE` bytes how many follow.

    Raises:
        FrameError: More than `MAX_BODY`.
    """
    (size,) = struct.unpack(">I", header)
    if size > MAX_BODY:
        raise FrameError(f"a frame announces {size} bytes, the limit is {MAX_BODY}")
    return int(size)


def decode(body: bytes) -> Any:
    """Decode a frame's body.

    Raises:
        FrameError: It is not what `encode` makes.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError, TypeError) as error:
        raise FrameError(str(error)) from None


def _encode_other(value: Any) -> Any:
    if not hasattr(value, "__array__"):
        raise TypeError(f"{type(value).__name__} cannot be sent; send text, numbers, lists, dicts or arrays")
    array = np.asarray(value)
    if array.dtype.kind not in _ARRAY_KINDS:
        raise TypeError(f"an array of {array.dtype} cannot be sent; send numbers or text")
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    layout = [array.dtype.str, list(array.shape), array.tobytes()]
    return msgspec.msgpack.Ext(_ARRAY, _encoder.encode(layout))


def _decode_extension(code: int, data: memoryview) -> Any:
    if code == _INTEGER:
        return int(bytes(data))
    if code != _ARRAY:
        raise FrameError(f"unknown extension {code}")
    dtype_name, shape, raw = _layout_decoder.decode(data)
    dtype = np.dtype(dtype_name)
    if dtype.kind not in _ARRAY_KINDS or math.prod(shape) * dtype.itemsize != len(raw):
        raise FrameError("an array's layout does not fit its bytes")
    return np.frombuffer(raw, dtype).reshape(shape).copy()  # the copy is writable


def _wrap_integers(value: Any) -> Any:
    """Copy a value with the integers that msgpack cannot hold as extensions."""
    if isinstance(value, dict):
        return {key: _wrap_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_wrap_integers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_INTEGER, str(value).encode())
    return value


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_other)
_decoder = msgspec.msgpack.Decoder(ext_hook=_decode_extension)
_layout_decoder = msgspec.msgpack.Decoder(tuple[str, list[int], bytes])
