"""``gymnasium_space`` hints: a gymnasium space written as JSON, and read back exactly equal.

A hint goes into a JSON Schema beside the type, on an object or on one property::

    hint = hint_for(Box(0, 2, (8, 8), np.int8))

    class Seen(Observation):
        board: list[list[int]] = Field(json_schema_extra={"gymnasium_space": hint})

Beside the hint of a space of arrays, ``"flat": true`` says that values travel as one flat list in C order.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from openenv_gym.errors import SchemaError
from openenv_gym.spaces.array_sequence import ArraySequence
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.text import Text

Hint = dict[str, Any]

_INFINITIES = ("inf", "-inf")
# A server's hint must not make a client allocate without bound (4 arrays of this size).
_MAX_ELEMENTS = 2**26


def hint_for(space: spaces.Space[Any]) -> Hint:
    """Write a space as a JSON-able hint.

    Infinite bounds become the texts ``"inf"`` and ``"-inf"``, which every JSON parser takes.

    Raises:
        SchemaError: The space has no hint (``Graph``, custom spaces).
    """
    match space:
        case JsonText() | ArraySequence():
            raise SchemaError(
                f"{type(space).__name__} comes from a JSON Schema and has no gymnasium_space hint"
            )
        case spaces.Box():
            low = _write_bound(space.low, space.bounded_below, "-inf")
            high = _write_bound(space.high, space.bounded_above, "inf")
            body = {"low": low, "high": high, "shape": list(space.shape), "dtype": str(space.dtype)}
        case spaces.Discrete():
            body = {"n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)}
        case spaces.MultiDiscrete():
            body = {
                "nvec": space.nvec.tolist(),
                "start": space.start.tolist(),
                "dtype": str(space.dtype),
            }
        case spaces.MultiBinary():
            body = {"n": list(space.n) if isinstance(space.n, tuple) else int(space.n)}
        case Text():
            body = {"min_length": space.min_length, "max_length": space.max_length}
        case spaces.Text():
            body = {
                "min_length": space.min_length,
                "max_length": space.max_length,
                "charset": "".join(space.character_list),
            }
        case spaces.Dict():
            # A list, because JSON objects do not promise an order, and the order of a Dict space matters.
            body = {"spaces": [[name, hint_for(part)] for name, part in space.spaces.items()]}
        case spaces.Tuple() | spaces.OneOf():
            body = {"spaces": [hint_for(part) for part in space.spaces]}
        case spaces.Sequence():
            body = {"space": hint_for(space.feature_space), "stack": bool(space.stack)}
        case _:
            raise SchemaError(f"there is no gymnasium_space hint for {type(space).__name__}: {space}")
    names = [name for name, kind in _KINDS.items() if isinstance(space, kind)]
    return {"type": names[0], **body}


def space_from_hint(hint: Mapping[str, Any]) -> spaces.Space[Any]:
    """Read a hint: the inverse of :func:`hint_for`.

    Raises:
        SchemaError: The hint names no known space, or lacks or garbles a parameter.
    """
    read = _READERS.get(hint.get("type", "")) if isinstance(hint, Mapping) else None
    if read is None:
        raise SchemaError(f"gymnasium_space needs a type out of {', '.join(_READERS)}, got {hint!r:.80}")
    try:
        return read(hint)
    except SchemaError:
        raise
    except KeyError as error:
        raise SchemaError(f"the gymnasium_space hint of a {hint['type']} lacks {error}") from None
    except (AssertionError, AttributeError, OverflowError, TypeError, ValueError) as error:
        raise SchemaError(f"the gymnasium_space hint of a {hint['type']} is wrong: {error}") from None


def _read_box(hint: Mapping[str, Any]) -> spaces.Box:
    dtype, shape = np.dtype(hint["dtype"]), tuple(hint["shape"])
    if math.prod(shape) > _MAX_ELEMENTS:
        raise ValueError(f"shape {shape} has more than {_MAX_ELEMENTS} elements")
    low, is_bounded_below = _read_bound(hint["low"], shape, dtype)
    high, is_bounded_above = _read_bound(hint["high"], shape, dtype)
    box = spaces.Box(low, high, shape, dtype.type)
    # Integers know no infinity: that a bound is none would be lost with the arrays alone.
    box.bounded_below, box.bounded_above = is_bounded_below, is_bounded_above
    return box


def _read_discrete(hint: Mapping[str, Any]) -> spaces.Discrete:
    space = spaces.Discrete(hint["n"], start=hint.get("start", 0))
    dtype = np.dtype(hint.get("dtype", "int64"))
    if dtype != space.dtype:
        # Set afterwards, because Gymnasium's constructor takes a dtype only since 1.2.
        space.dtype, space.n, space.start = dtype, dtype.type(space.n), dtype.type(space.start)
    return space


def _read_multi_discrete(hint: Mapping[str, Any]) -> spaces.MultiDiscrete:
    dtype = np.dtype(hint.get("dtype", "int64"))
    return spaces.MultiDiscrete(
        np.array(hint["nvec"]), dtype=dtype.type, start=_array_or_none(hint.get("start"))
    )


def _read_multi_binary(hint: Mapping[str, Any]) -> spaces.MultiBinary:
    n = hint["n"]
    return spaces.MultiBinary(tuple(n) if isinstance(n, list) else n)


def _read_text(hint: Mapping[str, Any]) -> spaces.Text:
    min_length, max_length = hint["min_length"], hint["max_length"]
    if "charset" in hint:
        return spaces.Text(max_length, min_length=min_length, charset=hint["charset"])
    return Text(max_length, min_length=min_length)


def _read_dict(hint: Mapping[str, Any]) -> spaces.Dict:
    # Ordered, because Dict sorts the keys of any other mapping.
    return spaces.Dict(OrderedDict((name, space_from_hint(part)) for name, part in hint["spaces"]))


def _read_tuple(hint: Mapping[str, Any]) -> spaces.Tuple[Any]:
    return spaces.Tuple([space_from_hint(part) for part in hint["spaces"]])


def _read_one_of(hint: Mapping[str, Any]) -> spaces.OneOf[Any]:
    return spaces.OneOf([space_from_hint(part) for part in hint["spaces"]])


def _read_sequence(hint: Mapping[str, Any]) -> spaces.Sequence:
    return spaces.Sequence(space_from_hint(hint["space"]), stack=bool(hint.get("stack", False)))


def _write_bound(bound: np.ndarray[Any, Any], is_bounded: np.ndarray[Any, Any], infinity: str) -> Any:
    """A number when all entries agree, else nested lists; where there is no bound, its infinity as text."""
    entries = np.where(is_bounded, bound.astype(object), infinity)
    flat = entries.reshape(-1).tolist()
    if flat and all(entry == flat[0] for entry in flat):
        return flat[0]
    return entries.tolist()


def _read_bound(
    written: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    if not isinstance(written, list):
        is_bounded = written not in _INFINITIES
        value = dtype.type(written if is_bounded else _limit(written, dtype))
        if is_bounded and dtype.kind != "f" and value != written:
            raise ValueError(f"the bound {written} is no {dtype}")
        return np.full(shape, value, dtype), np.full(shape, is_bounded)
    parts = [_read_bound(part, shape[1:], dtype) for part in written]
    if not shape or len(parts) != shape[0]:
        raise ValueError(f"the bounds are not of shape {shape}")
    bounds = np.array([bound for bound, _ in parts], dtype).reshape(shape)
    return bounds, np.array([is_bounded for _, is_bounded in parts], bool).reshape(shape)


def _limit(infinity: str, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return float(infinity)
    info = np.iinfo(dtype)
    return info.min if infinity == "-inf" else info.max


def _array_or_none(nested: Any) -> np.ndarray[Any, Any] | None:
    return None if nested is None else np.array(nested)


_READERS: dict[str, Callable[[Mapping[str, Any]], spaces.Space[Any]]] = {
    "Box": _read_box,
    "Discrete": _read_discrete,
    "MultiDiscrete": _read_multi_discrete,
    "MultiBinary": _read_multi_binary,
    "Text": _read_text,
    "Dict": _read_dict,
    "Tuple": _read_tuple,
    "OneOf": _read_one_of,
    "Sequence": _read_sequence,
}
_KINDS: dict[str, type[spaces.Space[Any]]] = {name: getattr(spaces, name) for name in _READERS}
