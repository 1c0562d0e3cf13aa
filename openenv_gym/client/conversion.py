"""Models to payloads and back: what makes a typed client three lines instead of hand-written parsing.

Servers move faster than the clients installed beside them, so a typed client *tolerates* fields that its
model does not know: they are left out of the observation, and said once a model in the log. A field that
the model requires and the server does not send is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from openenv_gym.errors import InvalidActionError, ProtocolError

_log = logging.getLogger("openenv_gym.client")
_reported: set[tuple[type, frozenset[str]]] = set()


def action_payload(action: Any, action_type: type[Any] | None) -> dict[str, Any]:
    """Turn an action into the fields that travel.

    Args:
        action: A pydantic model, a dataclass of type ``action_type``, or a mapping of the fields.
        action_type: What the client declares; ``None`` takes any model or mapping.

    Raises:
        InvalidActionError: The action is none of these.
    """
    if isinstance(action, Mapping):
        return dict(action)
    if isinstance(action, BaseModel) and (action_type is None or isinstance(action, action_type)):
        payload = _dump(action)
    elif action_type is not None and isinstance(action, action_type):
        payload = _shape(action_type).adapter.dump_python(action, mode="json")
    else:
        wanted = action_type.__name__ if action_type is not None else "a pydantic model"
        raise InvalidActionError(
            f"step() takes {wanted} or a dict of its fields, not {type(action).__name__}", "VALIDATION_ERROR"
        )
    if not payload.get("metadata", True):
        del payload["metadata"]  # empty by default, and not part of what an action means
    return payload


def build_model(model: type[Any] | None, fields: Mapping[str, Any], offered: Mapping[str, Any]) -> Any:
    """Build a client's observation or state from what travelled.

    Args:
        model: A pydantic model, dataclass or typed dict; ``None`` leaves the fields as a dict.
        fields: What the server sent.
        offered: Values for fields that travel elsewhere (``done``, ``reward``, ...): used where the model has
            the field and ``fields`` does not.

    Raises:
        ProtocolError: The fields do not make the model.
    """
    if model is None or model is dict:
        return dict(fields)
    shape = _shape(model)
    known = shape.names
    values = {key: value for key, value in offered.items() if known is None or key in known}
    values.update(fields)
    if known is not None and not known >= values.keys():
        unknown = frozenset(values.keys() - known)
        _report_unknown(model, unknown)
        values = {key: value for key, value in values.items() if key not in unknown}
    try:
        return shape.adapter.validate_python(values)
    except ValidationError as error:
        findings = "; ".join(
            f"{'.'.join(map(str, finding['loc'])) or '(whole)'}: {finding['msg']}"
            for finding in error.errors(include_url=False)[:5]
        )
        raise ProtocolError(
            f"what the server sent is no {model.__name__} ({findings}): install the client that belongs to "
            "the server, or use GenericEnvClient"
        ) from error


def _dump(model: BaseModel) -> dict[str, Any]:
    try:
        return model.model_dump(mode="json")
    except PydanticSerializationError:  # arrays and bytes have no JSON mode; the wire's codec knows them
        return model.model_dump()


def _report_unknown(model: type[Any], unknown: frozenset[str]) -> None:
    if (model, unknown) in _reported or unknown == {"metadata"}:
        return
    _reported.add((model, unknown))
    _log.warning(
        "the server sends fields that %s does not know (%s); they are left out. Update the client's package",
        model.__name__,
        ", ".join(sorted(unknown)),
    )


class _Shape:
    """What is worth working out once a model.

    Attributes:
        adapter: Validates and dumps it.
        names: The fields it takes, or ``None`` when it takes any.
    """

    def __init__(self, model: type[Any]) -> None:
        self.adapter: TypeAdapter[Any] = TypeAdapter(model)
        self.names = _field_names(model)


_shapes: dict[type[Any], _Shape] = {}


def _shape(model: type[Any]) -> _Shape:
    shape = _shapes.get(model)
    if shape is None:
        shape = _shapes[model] = _Shape(model)
    return shape


def _field_names(model: type[Any]) -> frozenset[str] | None:
    if issubclass(model, BaseModel):
        if model.model_config.get("extra") == "allow":
            return None
        names = set(model.model_fields)
        for field in model.model_fields.values():
            aliases = (field.alias, field.validation_alias)
            names.update(alias for alias in aliases if isinstance(alias, str))
        return frozenset(names)
    annotations = getattr(model, "__dataclass_fields__", None) or getattr(model, "__annotations__", None)
    return frozenset(annotations) if annotations is not None else None
