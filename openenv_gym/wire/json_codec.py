"""JSON text <-> Python values, without changing a value in silence.

msgspec is several times faster than the standard library but knows neither ``NaN`` nor ``Infinity``, which
Python's peers send, and encodes them as ``null``. So the standard library decodes what msgspec refuses, and
encodes again whatever came out with a ``null`` in it.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder()


class InvalidJSONError(ValueError):
    """The text is not JSON."""


def decode(data: str | bytes) -> Any:
    """Decode one JSON document.

    Args:
        data: Text, or UTF-8 bytes. ``NaN``, ``Infinity`` and integers of any size are accepted.

    Raises:
        InvalidJSONError: It is not JSON, is nested too deeply, or is not UTF-8.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        value = json.loads(data, parse_float=_finite_float)
        _require_unicode(value)
    except (ValueError, RecursionError) as error:
        raise InvalidJSONError(str(error)) from None
    return value


def encode(value: Any) -> str:
    """Encode a value as JSON text.

    Args:
        value: Anything made of dicts with string keys, lists, tuples, sets, strings, numbers, booleans and
            ``None``; numpy arrays and scalars become (nested) lists and numbers, bytes base64 text, and
            dates, UUIDs, enums and dataclasses what msgspec makes of them.

    Raises:
        TypeError: The value, or a part of it, has no JSON form.
        ValueError: The value contains itself, is nested too deeply, or holds text that is not Unicode.
    """
    try:
        data = _fast_encoder.encode(value)
        if b"null" not in data:
            return data.decode()
        text = _exact_encoder.encode(value)
    except RecursionError:
        raise ValueError("nested too deeply for JSON") from None
    if not text.isascii():
        # A lone surrogate is no Unicode text: fail here, where the caller can be told, not in the socket.
        text.encode()
    return text


def encode_each(values: Sequence[Any]) -> list[str]:
    """Encode values as one JSON text each: `encode` for each of them, but faster.

    Raises:
        TypeError, ValueError: As `encode`.
    """
    try:
        lines = _fast_encoder.encode_lines(values).decode().split("\n")  # JSON has no bare line breaks
    except RecursionError:
        raise ValueError("nested too deeply for JSON") from None
    return [encode(value) if "null" in line else line for value, line in zip(values, lines, strict=False)]


def _finite_float(text: str) -> float:
    """Parse a number in digits; unlike ``float``, refuse to turn 1e400 into infinity."""
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"number out of range: {text[:40]}")
    return value


def _require_unicode(value: Any) -> None:
    """Raise on lone surrogates, which JSON escapes can smuggle into a ``str``."""
    encode(value)


def _encode_other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return list(value)
    to_list = getattr(value, "tolist", None)  # numpy arrays and scalars; torch and jax tensors too
    if to_list is not None:
        return to_list()
    try:
        return msgspec.to_builtins(value)  # what msgspec encodes by itself, the other encoder must too
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{kind} has no JSON form; send str, numbers, lists, dicts or arrays") from None


_fast_encoder = msgspec.json.Encoder(enc_hook=_encode_other)
_exact_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_encode_other)
