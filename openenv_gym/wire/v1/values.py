"""Values under msgpack: arrays and great integers as extensions, everything else natively.

::

    extension 1 = an array:   msgpack [dtype, [dimension, ...], bin]   elements little-endian, in C order
    extension 2 = an integer: two's complement, little-endian          only beyond 64 bits
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from openenv_gym.wire.v1.entries import FrameError

if TYPE_CHECKING:
    import numpy as np
else:
    from openenv_gym import lazy_numpy as np

ARRAY = 1
INTEGER = 2

_MAX_DIMENSIONS = 32  # what numpy 1.26 can hold
_MAX_INTEGER_BYTES = 1024
_SMALL = 4096  # bytes; below, sharing costs more memory (the frame stays alive) than it saves time

# Booleans, integers, floats, complex numbers; fixed-length text and bytes. Objects are pickles in disguise,
# and what C calls long double has a layout of its own on every machine.
_DTYPE = re.compile(r"\|b1|[|<][iu][1248]|<f[248]|<c(8|16)|<U[1-9][0-9]{0,8}|\|S[1-9][0-9]{0,8}")


def encode_other(value: Any) -> Any:
    """Turn what msgpack has no form for into what it has one for; an ``enc_hook``.

    Raises:
        TypeError: It has none.
    """
    if not hasattr(value, "__array__"):  # torch's and jax's tensors have it too
        raise TypeError(f"{type(value).__name__} cannot be sent; send text, numbers, lists, dicts or arrays")
    if isinstance(value, np.generic) and value.dtype.kind in "biufcSU":
        plain = value.item()
        if type(plain) in (bool, int, float, str, bytes):
            return plain
    return _encode_array(np.asarray(value))


def _encode_array(array: np.ndarray[Any, Any]) -> msgspec.msgpack.Ext:
    little = array.dtype.newbyteorder("<")
    if _DTYPE.fullmatch(little.str) is None:
        raise TypeError(f"an array of {array.dtype} cannot be sent; send numbers, text or bytes")
    array = np.asarray(array, dtype=little, order="C")
    raw = array.reshape(-1).view(np.uint8).data if array.size else b""
    return msgspec.msgpack.Ext(ARRAY, _layout_encoder.encode((little.str, array.shape, raw)))


def wrap_integers(value: Any) -> Any:
    """Copy a value with the integers that msgpack cannot hold as extensions.

    Raises:
        ValueError: One is beyond any reason.
        RecursionError: The value contains itself.
    """
    if isinstance(value, dict):
        return {key: wrap_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [wrap_integers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        size = value.bit_length() // 8 + 1
        if size > _MAX_INTEGER_BYTES:
            raise ValueError(f"an integer of {size} bytes cannot be sent")
        return msgspec.msgpack.Ext(INTEGER, value.to_bytes(size, "little", signed=True))
    return value


def extension_decoder(*, share_arrays: bool) -> Callable[[int, memoryview], Any]:
    """Make an ``ext_hook``.

    Args:
        share_arrays: Let larger arrays look into the frame they came in instead of copying it: read-only,
            maybe unaligned, and the frame lives as long as they do. Else arrays own their memory.
    """

    def decode(code: int, data: memoryview) -> Any:
        if code == ARRAY:
            return _decode_array(data, share_arrays)
        if code == INTEGER and 0 < len(data) <= _MAX_INTEGER_BYTES:
            return int.from_bytes(data, "little", signed=True)
        raise FrameError(f"an extension {code} of {len(data)} bytes is no value")

    return decode


def _decode_array(data: memoryview, share: bool) -> np.ndarray[Any, Any]:
    name, shape, raw = _layout_decoder.decode(data)
    if _DTYPE.fullmatch(name) is None:
        raise FrameError(f"arrays of dtype {name[:20]!r} are not accepted")
    dtype = np.dtype(name)
    fits = len(shape) <= _MAX_DIMENSIONS and min(shape, default=0) >= 0
    if not fits or math.prod(shape) * dtype.itemsize != len(raw):
        raise FrameError("an array's shape and dtype do not fit its bytes")
    array = np.frombuffer(raw, dtype).reshape(shape)
    if not share:
        return array.copy()
    if len(raw) < _SMALL:
        array = array.copy()
        array.flags.writeable = False
    return array


_layout_encoder = msgspec.msgpack.Encoder()
_layout_decoder = msgspec.msgpack.Decoder(tuple[str, list[int], memoryview])
