"""One schema for the observations of steps and those of resets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openenv_gym.spaces.json_equality import json_equal
from openenv_gym.spaces.keywords import is_record
from openenv_gym.spaces.schema import Schema

_HINTS = frozenset({"gymnasium_space", "gymnasium_field"})


def merged(step: Schema, reset: Schema) -> Schema:
    """Return a schema that admits the values of both, field by field where both have named fields.

    Args:
        step: An expanded schema.
        reset: Another.
    """
    if json_equal(step, reset):
        return step
    if not (is_record(step) and is_record(reset)) or _has_hint(step) or _has_hint(reset):
        return {"anyOf": [step, reset]}
    assert isinstance(step, Mapping) and isinstance(reset, Mapping)
    properties: dict[str, Schema] = {}
    required = []
    for name in dict.fromkeys((*step["properties"], *reset["properties"])):
        properties[name] = _merged_field(name, step, reset)
        if name in step.get("required", ()) and name in reset.get("required", ()):
            required.append(name)
    record: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if step.get("additionalProperties") or reset.get("additionalProperties"):
        record["additionalProperties"] = True
    return record


def _merged_field(name: str, step: Mapping[str, Any], reset: Mapping[str, Any]) -> Schema:
    """A field's schema: with a default only if leaving the field out means the same in both."""
    records = [record for record in (step, reset) if name in record["properties"]]
    forms = []
    defaults = []
    for record in records:
        form = record["properties"][name]
        has_default = isinstance(form, Mapping) and "default" in form
        if name not in record.get("required", ()):
            defaults.append([form["default"]] if has_default else [])
        forms.append({key: form[key] for key in form if key != "default"} if has_default else form)
    field = forms[0] if all(json_equal(form, forms[0]) for form in forms) else {"anyOf": forms}
    is_default_shared = (
        len(records) == 2
        and defaults
        and defaults[0]
        and all(json_equal(other, defaults[0]) for other in defaults)
    )
    return {**_object(field), "default": defaults[0][0]} if is_default_shared else field


def _object(schema: Schema) -> dict[str, Any]:
    """The object form of a schema: ``true`` is ``{}``."""
    return schema if isinstance(schema, dict) else {} if schema else {"not": {}}


def _has_hint(schema: Schema) -> bool:
    return isinstance(schema, Mapping) and not _HINTS.isdisjoint(schema)
