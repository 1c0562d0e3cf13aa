"""Pixels as a PNG file, for people to look at."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUECOLOUR_8_BIT = (8, 2, 0, 0, 0)
_FAST = 1  # compression level


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Write an image of shape (rows, columns, 3) as a PNG file."""
    rows, columns, _ = pixels.shape
    # Each row begins with the number of its filter; 0 is none.
    lines = np.zeros((rows, 1 + 3 * columns), np.uint8)
    lines[:, 1:] = pixels.reshape(rows, -1)
    header = struct.pack(">2I5B", columns, rows, *_TRUECOLOUR_8_BIT)
    data = zlib.compress(lines.tobytes(), _FAST)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
