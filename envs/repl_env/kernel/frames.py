"""Jupyter messages on a pipe: which channel, then the message's parts, each with its length."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum

_HEAD = struct.Struct(">BB")  # channel, number of parts
_LENGTH = struct.Struct(">I")
_MAX_PARTS = 64


class Channel(IntEnum):
    """Jupyter's channels, as far as they are used."""

    SHELL = 1
    CONTROL = 2
    IOPUB = 3


_NUMBERS = frozenset(map(int, Channel))


class FrameError(ValueError):
    """The bytes are no frame, or one that is too large."""


def encode(channel: Channel, parts: Sequence[bytes]) -> bytes:
    """Lay out one message."""
    chunks = [_HEAD.pack(channel, len(parts))]
    for part in parts:
        chunks += [_LENGTH.pack(len(part)), part]
    return b"".join(chunks)


class FrameReader:
    """Cuts a stream of bytes, fed in pieces of any size, into messages.

    Args:
        max_bytes: Size of the largest part accepted; what comes from a sandbox is not to be trusted.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Channel, list[bytes]]]:
        """Take bytes and yield the messages that are complete.

        Raises:
            FrameError: They are none.
        """
        self._buffer += data
        while (frame := self._cut()) is not None:
            yield frame

    def _cut(self) -> tuple[Channel, list[bytes]] | None:
        buffer = self._buffer
        if len(buffer) < _HEAD.size:
            return None
        number, count = _HEAD.unpack_from(buffer)
        if number not in _NUMBERS or count > _MAX_PARTS:
            raise FrameError(f"channel {number} with {count} parts")
        at, parts = _HEAD.size, []
        for _ in range(count):
            if len(buffer) < at + _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack_from(buffer, at)
            if length > self._max_bytes:
                raise FrameError(f"a part of {length} bytes, more than {self._max_bytes}")
            at += _LENGTH.size
            if len(buffer) < at + length:
                return None
            parts.append(bytes(buffer[at : at + length]))
            at += length
        del buffer[:at]
        return Channel(number), parts
