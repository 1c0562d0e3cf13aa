"""Equality of JSON values: ``1`` equals ``1.0``, but not ``true``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any


def json_key(value: Any) -> Hashable:
    """A hashable stand-in: two JSON values are equal exactly when their keys are."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return (bool, value)
    if isinstance(value, Mapping):
        return (dict, frozenset((name, json_key(part)) for name, part in value.items()))
    if isinstance(value, list | tuple):
        return (list, tuple(json_key(part) for part in value))
    return (float, value)


def json_equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal."""
    return json_key(left) == json_key(right)
