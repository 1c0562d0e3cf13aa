"""Models and the values inside them -> plain ones: dicts, lists, text, numbers, bytes and arrays.

Every reply passes through here, so models whose fields are declared with plain types alone skip pydantic's
serializer; the result is the same.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

if TYPE_CHECKING:
    import numpy as np
else:
    from openenv_gym import lazy_numpy as np

ATOMS = frozenset({str, int, float, bool, type(None)})
_PLAIN_ANNOTATIONS = frozenset({*ATOMS, None, Any, bytes, list, tuple, dict})
_CONTAINERS = frozenset({list, tuple, dict, Union, types.UnionType})


def plain(value: Any) -> Any:
    """Copy a value into plain ones.

    Args:
        value: Anything with a JSON form, bytes, or a numpy array or scalar (torch and jax tensors count as
            arrays). Arrays stay arrays and bytes stay bytes: the codec knows what to make of them.

    Raises:
        TypeError: A part of the value has no such form.
    """
    kind = type(value)
    if kind in ATOMS:
        return value
    if kind is dict:
        return {
            (key if type(key) is str else _key(key)): item if type(item) in ATOMS else plain(item)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        if ATOMS.issuperset(map(type, value)):
            return list(value)
        return [plain(item) for item in value]
    return _plain_other(value)


def plain_dict(value: Any, what: str) -> dict[str, Any]:
    """Copy a dict, or a model, into plain values.

    Args:
        value: What to copy.
        what: Its name, for the message.

    Raises:
        TypeError: It is something else, or a part of it has no plain form.
    """
    values = plain(value)
    if not isinstance(values, dict):
        raise TypeError(f"{what} is a {type(values).__name__}, not a model or a dict")
    return values


def dump_model(model: BaseModel) -> dict[str, Any]:
    """Dump a model's fields by their names into plain values.

    Raises:
        TypeError: A field's value has no plain form.
    """
    names = plainly_typed_fields(type(model))
    if names is None:
        dumped: dict[str, Any] = plain(model.model_dump())
        return dumped
    values = model.__dict__
    return {
        name: value if type(value := values[name]) in ATOMS else plain(value)  # most fields are atoms
        for name in names
    }


@functools.cache
def plainly_typed_fields(cls: type[BaseModel]) -> tuple[str, ...] | None:
    """List the fields of a model that needs no serializer of pydantic's; ``None`` for any other model."""
    decorators = cls.__pydantic_decorators__
    config = cls.model_config
    customized = (
        decorators.field_serializers
        or decorators.model_serializers
        or cls.model_computed_fields
        or cls.__pydantic_root_model__
        or cls.model_dump is not BaseModel.model_dump
        or "__get_pydantic_core_schema__" in _own_attributes(cls)
        or config.get("extra") == "allow"
        or config.get("serialize_by_alias")
        or config.get("json_encoders")
    )
    if customized:
        return None
    for field in cls.model_fields.values():
        if field.exclude or getattr(field, "exclude_if", None):
            return None
        if not _is_plain_annotation(field.annotation) or any(map(_has_schema_hook, field.metadata)):
            return None
    return tuple(cls.model_fields)


def _own_attributes(cls: type) -> set[str]:
    """Names that the class or a base of it below ``BaseModel`` defines."""
    return {name for base in cls.__mro__[: cls.__mro__.index(BaseModel)] for name in vars(base)}


def _is_plain_annotation(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is None:
        return annotation is Ellipsis or annotation in _PLAIN_ANNOTATIONS or _is_ndarray(annotation)
    if _is_ndarray(origin):
        return True
    if origin is Literal:
        return all(type(value) in ATOMS for value in get_args(annotation))
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return _is_plain_annotation(inner) and not any(map(_has_schema_hook, metadata))
    return origin in _CONTAINERS and all(map(_is_plain_annotation, get_args(annotation)))


def _has_schema_hook(metadata: Any) -> bool:
    """Whether an annotation's metadata may change how the value is serialized; that of arrays does not."""
    return hasattr(metadata, "__get_pydantic_core_schema__") and not getattr(metadata, "DUMPS_AS_IS", False)


def _is_ndarray(annotation: Any) -> bool:
    return "numpy" in sys.modules and annotation is np.ndarray  # who names the class has loaded it


def _plain_other(value: Any) -> Any:
    match value:
        case Enum():
            return plain(value.value)
        case BaseModel():
            return dump_model(value)
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float():
            return float(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case Mapping():
            return plain(dict(value))
        case list() | tuple() | AbstractSet():
            return [plain(item) for item in value]
    if hasattr(value, "__array__"):
        return _plain_array(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    try:
        return to_jsonable_python(value)  # dates, paths, UUIDs, decimals, ...
    except PydanticSerializationError:
        raise TypeError(
            f"{type(value).__module__}.{type(value).__qualname__} has no JSON form: use text, numbers, "
            "lists, dicts, models or arrays"
        ) from None


def _plain_array(value: Any) -> Any:
    if isinstance(value, np.generic):
        return plain(value.item())
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    return plain(array.tolist()) if array.dtype.hasobject else array.copy()


def _key(key: Any) -> str:
    """Turn a dict's key into text as JSON does: ``1`` -> ``"1"``, ``True`` -> ``"true"``."""
    (text,) = to_jsonable_python({key: None})
    return str(text)
