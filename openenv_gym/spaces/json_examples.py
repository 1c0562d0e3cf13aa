"""Made-up JSON values that satisfy a JSON Schema, for sampling fields that are carried as JSON text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from openenv_gym.errors import SchemaError
from openenv_gym.spaces.patterns import draw_match
from openenv_gym.spaces.schema import Schema, resolve_pointer

# Below this depth only what must be there is made up, so that recursive schemas come to an end.
_RICH_DEPTH = 3
_MAX_DEPTH = 30
_MAX_EXTRA_ITEMS = 3

_FORMATS = {
    "base64": "YWJj",
    "base64url": "YWJj",
    "date": "2000-01-31",
    "date-time": "2000-01-31T12:30:00Z",
    "time": "12:30:00Z",
    "duration": "P1DT2H",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "ipvanyaddress": "192.0.2.1",
    "ipv4network": "192.0.2.0/24",
    "ipv6network": "2001:db8::/32",
    "json-string": "{}",
    "regex": "a+",
    "uri": "https://example.com/",
    "uuid": "12345678-1234-4234-8234-123456789abc",
}


def draw_example(schema: Schema, rng: np.random.Generator) -> Any:
    """Draw a JSON value that satisfies a schema.

    ``not``, ``if``, ``contains`` and the ``dependent*`` keywords are not looked at.

    Args:
        schema: A JSON Schema whose references are its own.
        rng: Where the randomness comes from.

    Raises:
        SchemaError: No value can be made up, for example for a lookahead in a ``pattern``, or for a schema
            that only an endless value satisfies.
    """
    root = schema if isinstance(schema, Mapping) else {}
    return _Examples(root, rng).draw(schema, 0)


class _Examples:
    """One draw: the random generator, and the document in which references are resolved."""

    def __init__(self, root: Mapping[str, Any], rng: np.random.Generator) -> None:
        self._root = root
        self._rng = rng

    def draw(self, schema: Schema, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise SchemaError("no example can be made up: the schema is satisfied by endless values only")
        if schema is False:
            raise SchemaError("no example can be made up: the schema admits no value")
        schema = self._flat({} if schema is True else schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choose(schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._draw_branch(schema[keyword], depth)
        kind = schema.get("type", ["null", "boolean", "integer", "string"])
        return self._draw_kind(kind if isinstance(kind, str) else self._choose(kind), schema, depth)

    def _flat(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow ``$ref`` and fold ``allOf`` in."""
        flat = dict(schema)
        for _ in range(_MAX_DEPTH):
            if "$defs" in flat or "definitions" in flat:  # a recursive part brings its document along
                self._root = dict(flat)
            parts = [resolve_pointer(self._root, flat.pop("$ref"))] if "$ref" in flat else []
            parts += flat.pop("allOf", [])
            if not parts:
                break
            for part in parts:
                if isinstance(part, Mapping):
                    properties = {**part.get("properties", {}), **flat.get("properties", {})}
                    required = [*part.get("required", []), *flat.get("required", [])]
                    flat = {**part, **flat}
                    if properties:
                        flat["properties"], flat["required"] = properties, required
        return flat

    def _draw_branch(self, branches: list[Schema], depth: int) -> Any:
        order = self._rng.permutation(len(branches))
        failure: SchemaError | None = None
        if depth >= _RICH_DEPTH:  # the simplest branch that works: recursion ends in scalars
            order = np.array(sorted(range(len(branches)), key=lambda index: _weight(branches[index])))
        for index in order:
            try:
                return self.draw(branches[index], depth + 1)
            except SchemaError as error:
                failure = error
        raise failure or SchemaError("no example can be made up: anyOf is empty")

    def _draw_kind(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return bool(self._rng.integers(2))
        if kind in ("integer", "number"):
            return self._draw_number(kind, schema)
        if kind == "string":
            return self._draw_string(schema)
        return self._draw_array(schema, depth) if kind == "array" else self._draw_object(schema, depth)

    def _draw_number(self, kind: str, schema: Mapping[str, Any]) -> int | float:
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        step = schema.get("multipleOf", 1 if kind == "integer" else 0)
        if not step:
            if low == -math.inf:
                low = high - 10 if high < math.inf else -10
            high = min(high, low + 10)
            # 0.1 to 0.9 of the way keeps clear of both bounds, exclusive or not.
            return float(low + (high - low) * (0.1 + 0.8 * self._rng.random())) if high > low else low
        if kind == "integer" and not float(step).is_integer():
            raise SchemaError(f"no example can be made up: an integer that is a multiple of {step}")
        first = math.ceil(low / step) if low > -math.inf else None
        last = math.floor(high / step) if high < math.inf else None
        first = (last - 9 if last is not None else 0) if first is None else first
        last = first + 9 if last is None else min(last, first + 9)
        if first * step == schema.get("exclusiveMinimum"):
            first += 1
        if last * step == schema.get("exclusiveMaximum"):
            last -= 1
        if first > last:
            raise SchemaError(f"no example can be made up: no multiple of {step} in [{low}, {high}]")
        number = (first + int(self._rng.integers(last - first, endpoint=True))) * step
        return int(number) if kind == "integer" else number

    def _draw_string(self, schema: Mapping[str, Any]) -> str:
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        if "pattern" in schema:
            for _ in range(100):
                text = draw_match(schema["pattern"], self._rng)
                if shortest <= len(text) <= longest:
                    return text
            raise SchemaError(f"no example can be made up: {schema['pattern']!r} of that length")
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        length = int(self._rng.integers(shortest, min(longest, shortest + 8), endpoint=True))
        return "".join(chr(code) for code in self._rng.integers(ord("a"), ord("z") + 1, size=length))

    def _draw_array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        prefix = schema.get("prefixItems", [])
        fewest = schema.get("minItems", 0)
        most = min(schema.get("maxItems", math.inf), max(fewest, len(prefix)) + _MAX_EXTRA_ITEMS)
        items_schema = schema.get("items", True)
        if items_schema is False:
            most = min(most, len(prefix))
        if depth >= _RICH_DEPTH:
            most = fewest
        length = int(self._rng.integers(fewest, most, endpoint=True))
        items: list[Any] = []
        seen = set()
        for _ in range(length * 100):
            if len(items) == length:
                break
            item = self.draw(prefix[len(items)] if len(items) < len(prefix) else items_schema, depth + 1)
            key = json.dumps(item, sort_keys=True)
            if not schema.get("uniqueItems") or key not in seen:
                items.append(item)
                seen.add(key)
        if len(items) < fewest:
            raise SchemaError("no example can be made up: too few different items for uniqueItems")
        return items

    def _draw_object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        is_rich = depth < _RICH_DEPTH
        value = {
            name: self.draw(subschema, depth + 1)
            for name, subschema in schema.get("properties", {}).items()
            if name in required or (subschema is not False and is_rich and self._rng.random() < 0.5)
        }
        fewest = schema.get("minProperties", 0)
        most = max(min(schema.get("maxProperties", math.inf), 2 if is_rich else 0), fewest)
        wanted = int(self._rng.integers(fewest, most, endpoint=True))
        for _ in range(wanted * 100):
            if len(value) >= wanted or not self._add_extra(value, schema, depth):
                break
        if len(value) < fewest:
            raise SchemaError("no example can be made up: too few different names for minProperties")
        return value

    def _add_extra(self, value: dict[str, Any], schema: Mapping[str, Any], depth: int) -> bool:
        """Add a field that no property names; False when the schema admits none."""
        extra: Schema = schema.get("additionalProperties", True)
        names: Schema = schema.get("propertyNames", {"type": "string", "minLength": 1})
        for pattern, subschema in schema.get("patternProperties", {}).items():
            extra, names = subschema, {"type": "string", "pattern": pattern}
        if extra is False:
            return False
        name = self.draw(names, depth + 1)
        if name not in schema.get("properties", {}):
            value[name] = self.draw(extra, depth + 1)
        return True

    def _choose(self, options: Any) -> Any:
        return options[int(self._rng.integers(len(options)))]


def _weight(schema: Schema) -> int:
    """How much a branch is likely to lead on into recursion."""
    text = json.dumps(schema)
    return len(text) + 10_000 * text.count('"$ref"')
