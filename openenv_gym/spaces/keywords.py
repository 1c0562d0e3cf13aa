"""Which keywords of JSON Schema constrain which values, and which of them spaces can express."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openenv_gym.spaces.schema import Schema

# Keywords that constrain values of a type; for values of other types they say nothing.
_NUMBER_KEYWORDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_TYPE_KEYWORDS: dict[str, set[str]] = {
    "string": {"minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"},
    "boolean": set(),
    "null": set(),
    "integer": _NUMBER_KEYWORDS,
    "number": _NUMBER_KEYWORDS,
    "array": {
        *("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"),
        *("contains", "minContains", "maxContains"),
    },
    "object": {
        *("properties", "required", "additionalProperties", "unevaluatedProperties", "patternProperties"),
        *("propertyNames", "minProperties", "maxProperties"),
        *("dependentRequired", "dependentSchemas", "dependencies"),
    },
}
# Keywords that constrain values of any type. What is in neither set is somebody's annotation.
_ANY_TYPE_KEYWORDS = {"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "enum", "const"}
#: Every keyword that constrains a value.
CONSTRAINTS = _ANY_TYPE_KEYWORDS.union({"type"}, *_TYPE_KEYWORDS.values())
# What the spaces can express of them.
_EXPRESSIBLE: dict[str, set[str]] = {
    "string": {"minLength", "maxLength", "format"},
    "integer": _NUMBER_KEYWORDS - {"multipleOf"},
    "number": _NUMBER_KEYWORDS - {"multipleOf"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "object": {"properties", "required", "additionalProperties"},
}


def is_expressible(schema: Mapping[str, Any]) -> bool:
    """Whether a space can express every constraint that a schema of one type sets."""
    kind = schema["type"]
    binding = schema.keys() & (_ANY_TYPE_KEYWORDS | _TYPE_KEYWORDS[kind])
    return binding <= _EXPRESSIBLE.get(kind, set())


def is_record(schema: Schema) -> bool:
    """Whether a schema is of an object with named fields, rather than of a map or something else."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return False
    if not is_expressible(schema):
        return False
    properties = schema.get("properties")
    if properties is None:
        return schema.get("additionalProperties") is False
    return set(properties).issuperset(schema.get("required", ()))
