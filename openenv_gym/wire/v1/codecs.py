"""Frames <-> entries: msgpack for speed and exactness, JSON for eyes and for other languages.

A sender encodes entry by entry and joins: so a value that cannot be sent spoils its own entry only, sizes are
known before a frame is full, and an unanswered request is kept as the bytes that a reconnect sends again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

import msgspec

from openenv_gym.wire import json_codec
from openenv_gym.wire.v1.entries import FrameError, ReplyEntry, RequestEntry
from openenv_gym.wire.v1.values import encode_other, extension_decoder, wrap_integers

Frame = str | bytes
Entry = tuple[Any, ...]

JOIN_OVERHEAD = 5  # bytes that joining adds to a frame at most, beside one an entry


class Codec(Protocol):
    """One encoding of the dialect."""

    subprotocol: ClassVar[str]

    def encode(self, entry: Entry) -> bytes:
        """Encode one entry.

        Raises:
            TypeError: A value in it has no form in this encoding.
            ValueError: It holds text that is not Unicode, a number out of range, or contains itself.
        """
        ...

    def join(self, entries: Sequence[bytes]) -> Frame:
        """Make encoded entries a frame."""
        ...

    def decode_requests(self, frame: Frame) -> list[RequestEntry]:
        """Decode a client's frame; raises `FrameError`."""
        ...

    def decode_replies(self, frame: Frame) -> list[ReplyEntry]:
        """Decode a server's frame; raises `FrameError`."""
        ...


class MsgpackCodec:
    """Binary frames: a msgpack array of entries.

    Args:
        share_arrays: See `values.extension_decoder`.
    """

    subprotocol: ClassVar[str] = "openenv-gym.v1+msgpack"

    def __init__(self, *, share_arrays: bool = False) -> None:
        hook = extension_decoder(share_arrays=share_arrays)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=encode_other)
        self._requests = msgspec.msgpack.Decoder(list[RequestEntry], ext_hook=hook)
        self._replies = msgspec.msgpack.Decoder(list[ReplyEntry], ext_hook=hook)

    def encode(self, entry: Entry) -> bytes:
        """Encode one entry; see `Codec.encode`."""
        try:
            return self._encoder.encode(entry)
        except OverflowError:
            pass  # an integer beyond 64 bits: rare, so looked for only now
        except RecursionError:
            raise ValueError("nested too deeply, or contains itself") from None
        try:
            return self._encoder.encode(wrap_integers(entry))
        except RecursionError:
            raise ValueError("nested too deeply, or contains itself") from None

    def join(self, entries: Sequence[bytes]) -> bytes:
        """Put an array's header before encoded entries."""
        return b"".join((_array_header(len(entries)), *entries))

    def decode_requests(self, frame: Frame) -> list[RequestEntry]:
        """Decode a client's frame; raises `FrameError`."""
        entries: list[RequestEntry] = self._decode(self._requests, frame)
        return entries

    def decode_replies(self, frame: Frame) -> list[ReplyEntry]:
        """Decode a server's frame; raises `FrameError`."""
        entries: list[ReplyEntry] = self._decode(self._replies, frame)
        return entries

    def _decode(self, decoder: msgspec.msgpack.Decoder[Any], frame: Frame) -> Any:
        if isinstance(frame, str):
            raise FrameError(f"a text message; {self.subprotocol} sends binary ones")
        try:
            return decoder.decode(frame)
        except FrameError:
            raise
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
            # ValueError and TypeError: text that is no UTF-8, times out of range, map keys beyond hashing
            raise FrameError(f"not a frame of {self.subprotocol}: {error}") from None


class JsonCodec:
    """Text frames: a JSON array of entries. Arrays become nested lists, bytes base64 text."""

    subprotocol: ClassVar[str] = "openenv-gym.v1+json"

    def __init__(self) -> None:
        self._requests = msgspec.json.Decoder(list[RequestEntry])
        self._replies = msgspec.json.Decoder(list[ReplyEntry])

    def encode(self, entry: Entry) -> bytes:
        """Encode one entry; see `Codec.encode`."""
        return json_codec.encode(entry).encode()

    def join(self, entries: Sequence[bytes]) -> str:
        """Put brackets around encoded entries."""
        return "[" + b",".join(entries).decode() + "]"

    def decode_requests(self, frame: Frame) -> list[RequestEntry]:
        """Decode a client's frame; raises `FrameError`."""
        entries: list[RequestEntry] = self._decode(self._requests, list[RequestEntry], frame)
        return entries

    def decode_replies(self, frame: Frame) -> list[ReplyEntry]:
        """Decode a server's frame; raises `FrameError`."""
        entries: list[ReplyEntry] = self._decode(self._replies, list[ReplyEntry], frame)
        return entries

    def _decode(self, decoder: msgspec.json.Decoder[Any], kind: Any, frame: Frame) -> Any:
        if isinstance(frame, bytes):
            raise FrameError(f"a binary message; {self.subprotocol} sends text ones")
        try:
            return decoder.decode(frame)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass  # maybe only a NaN or Infinity, which msgspec does not know
        try:
            return msgspec.convert(json_codec.decode(frame), kind)
        except (msgspec.ValidationError, json_codec.InvalidJSONError, RecursionError) as error:
            raise FrameError(f"not a frame of {self.subprotocol}: {error}") from None


SUBPROTOCOLS = (MsgpackCodec.subprotocol, JsonCodec.subprotocol)
"""What a server offers to speak, its favourite first."""


def choose_subprotocol(offered: Iterable[str]) -> str | None:
    """Choose among the subprotocols a client offers; ``None`` leaves the connection to OpenEnv's dialect."""
    offers = set(offered)
    return next((name for name in SUBPROTOCOLS if name in offers), None)


def codec_for(subprotocol: str, *, share_arrays: bool = False) -> Codec:
    """Make the codec of an agreed subprotocol.

    Args:
        subprotocol: One of `SUBPROTOCOLS`.
        share_arrays: See `values.extension_decoder`.

    Raises:
        ValueError: It is none of this dialect's.
    """
    if subprotocol == MsgpackCodec.subprotocol:
        return MsgpackCodec(share_arrays=share_arrays)
    if subprotocol == JsonCodec.subprotocol:
        return JsonCodec()
    raise ValueError(f"{subprotocol!r} is no subprotocol of openenv-gym.v1")


def _array_header(length: int) -> bytes:
    if length < 16:
        return bytes((0x90 | length,))
    if length < 2**16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")
