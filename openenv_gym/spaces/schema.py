"""JSON Schema documents: references resolved, annotations dropped, so that subschemas stand alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from openenv_gym.errors import SchemaError

#: A JSON Schema; an *expanded* one has no references but recursive ones, and no annotations.
Schema = Mapping[str, Any] | bool

# Limits on what a server's schema may make of a client.
_MAX_NODES = 20_000
_MAX_DEPTH = 64

_ANNOTATIONS = frozenset(
    (
        *("title", "description", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"),
        *("$comment", "$schema", "$id", "$anchor", "$defs", "definitions"),
    )
)
_WITH_SCHEMA = frozenset(
    (
        *("additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else"),
        *("unevaluatedItems", "unevaluatedProperties"),
    )
)
_WITH_SCHEMAS = frozenset(["prefixItems", "anyOf", "oneOf", "allOf"])
_WITH_NAMED_SCHEMAS = frozenset(["properties", "patternProperties", "dependentSchemas"])


def expand(document: Schema) -> Schema:
    """Return a schema with every reference replaced by its target and without annotations.

    A reference that leads back into itself stays, with the document's ``$defs`` beside it: that subschema
    has no finite shape.

    Args:
        document: A JSON Schema document as ``pydantic`` writes it.

    Raises:
        SchemaError: It is malformed, refers outside itself or to nothing, or is too large.
    """
    return _Expansion(document).expand(document, (), 0)


def resolve_pointer(document: Mapping[str, Any], reference: str) -> Any:
    """Look up a reference of the form ``#/$defs/Name`` in its document.

    Raises:
        SchemaError: It refers outside the document, or to nothing.
    """
    if reference != "#" and not reference.startswith("#/"):
        raise SchemaError(f"$ref {reference!r} leads outside the schema; only '#/...' can be followed")
    target: Any = document
    for step in reference.split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and key.isdecimal() and int(key) < len(target):
            target = target[int(key)]
        elif isinstance(target, Mapping) and key in target:
            target = target[key]
        else:
            raise SchemaError(f"$ref {reference!r} leads to nothing in the schema")
    return target


class _Expansion:
    """One document being expanded."""

    def __init__(self, document: Schema) -> None:
        self._document = document if isinstance(document, Mapping) else {}
        self._nodes = 0

    def expand(self, schema: Any, trail: tuple[str, ...], depth: int) -> Schema:
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise SchemaError(
                f"the schema is too large: more than {_MAX_NODES} nodes or {_MAX_DEPTH} levels when expanded"
            )
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise SchemaError(f"a JSON Schema is an object or a boolean, got {type(schema).__name__}")
        if "$ref" in schema:
            return self._expand_reference(schema, trail, depth)
        expanded = {
            keyword: self._expand_operand(keyword, operand, trail, depth + 1)
            for keyword, operand in schema.items()
            if keyword not in _ANNOTATIONS
        }
        if len(expanded.get("allOf", ())) == 1:
            (part,) = expanded.pop("allOf")
            return _both(part, expanded)
        return expanded

    def _expand_reference(self, schema: Mapping[str, Any], trail: tuple[str, ...], depth: int) -> Schema:
        reference = schema["$ref"]
        if not isinstance(reference, str):
            raise SchemaError(f"$ref must be text, got {type(reference).__name__}")
        siblings = {key: operand for key, operand in schema.items() if key != "$ref"}
        target = resolve_pointer(self._document, reference)
        if reference in trail:
            part: Schema = {"$ref": reference, **self._definitions(reference)}
        else:
            part = self.expand(target, (*trail, reference), depth + 1)
        return _both(part, self.expand(siblings, trail, depth + 1))

    def _definitions(self, reference: str) -> dict[str, Any]:
        """What the recursive reference needs beside it to be resolved on its own."""
        if reference == "#":
            raise SchemaError("$ref '#' is not supported: give the recursive schema a name in $defs")
        return {key: self._document[key] for key in ("$defs", "definitions") if key in self._document}

    def _expand_operand(self, keyword: str, operand: Any, trail: tuple[str, ...], depth: int) -> Any:
        if keyword in _WITH_SCHEMA:
            return self.expand(operand, trail, depth)
        if keyword in _WITH_SCHEMAS:
            return [self.expand(part, trail, depth) for part in _checked(keyword, operand, list)]
        if keyword in _WITH_NAMED_SCHEMAS:
            parts = _checked(keyword, operand, Mapping)
            return {name: self.expand(part, trail, depth) for name, part in parts.items()}
        return operand


def _both(part: Schema, siblings: Schema) -> Schema:
    """One schema for "both hold"; stays an ``allOf`` when each of them constrains the value."""
    if isinstance(siblings, bool) or not siblings:
        return part
    if isinstance(part, dict) and siblings.keys() <= {"default", "gymnasium_space"}:
        return {**part, **siblings}
    return {"allOf": [part, siblings]}


def _checked(keyword: str, operand: Any, kind: type) -> Any:
    if not isinstance(operand, kind):
        raise SchemaError(f"{keyword} must be a {kind.__name__.lower()}, got {type(operand).__name__}")
    return operand
