"""The bounds that a JSON Schema sets on numbers, inclusive whichever keyword set them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from openenv_gym.errors import SchemaError


def integer_bounds(schema: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Smallest and largest integer that a schema admits; ``None`` where there is no bound."""
    lows = [math.ceil(bound) for bound in _finite(schema, "minimum")]
    lows += [math.floor(bound) + 1 for bound in _finite(schema, "exclusiveMinimum")]
    highs = [math.floor(bound) for bound in _finite(schema, "maximum")]
    highs += [math.ceil(bound) - 1 for bound in _finite(schema, "exclusiveMaximum")]
    return max(lows, default=None), min(highs, default=None)


def number_bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    """Smallest and largest ``float64`` that a schema admits; infinite where there is no bound."""
    lows = [float(bound) for bound in _finite(schema, "minimum")]
    lows += [math.nextafter(bound, math.inf) for bound in _finite(schema, "exclusiveMinimum")]
    highs = [float(bound) for bound in _finite(schema, "maximum")]
    highs += [math.nextafter(bound, -math.inf) for bound in _finite(schema, "exclusiveMaximum")]
    return max(lows, default=-math.inf), min(highs, default=math.inf)


def _finite(schema: Mapping[str, Any], keyword: str) -> Iterator[int | float]:
    """Yield the bound of a keyword, if it has one that binds."""
    bound = schema.get(keyword)
    if bound is None:
        return
    if isinstance(bound, bool) or not isinstance(bound, int | float) or math.isnan(bound):
        raise SchemaError(f"{keyword} must be a number, got {bound!r}")
    if math.isfinite(bound):
        yield bound
