"""Models made from gymnasium spaces, so that a client reads exactly these spaces off ``/schema``.

A ``Dict`` whose keys can be a model's fields becomes a model with these fields. Any other space sits in one
field, and ``gymnasium_field`` in the schema says that the space is that field's alone.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, create_model

from openenv_gym.models import Action, Observation
from openenv_gym.spaces import codec_for, hint_for

Space = gymnasium.Space[Any]
ModelT = TypeVar("ModelT", bound=BaseModel)

_ACTION_FIELD = "action"
_OBSERVATION_FIELD = "observation"


class SpaceModel(Generic[ModelT]):
    """A model made from a space, and the way between its fields and the space's elements.

    Attributes:
        model: The model.
        space: The space.
        names: Its own fields, in the space's order.
        is_record: Whether each holds the part of a ``Dict``, rather than the only one whole elements.
    """

    def __init__(self, model: type[ModelT], space: Space, names: tuple[str, ...], is_record: bool) -> None:
        self.model = model
        self.space = space
        self.names = names
        self.is_record = is_record

    def element(self, instance: ModelT) -> Any:
        """Return the element that an instance of the model holds."""
        if self.is_record:
            return {name: getattr(instance, name) for name in self.names}
        return getattr(instance, self.names[0])

    def fields(self, element: Any) -> dict[str, Any]:
        """Return the fields of an instance that holds an element."""
        return dict(element) if self.is_record else {self.names[0]: element}


def action_model(name: str, space: Space) -> SpaceModel[Action]:
    """Make a model of actions; its fields are validated against the space, and hold its elements.

    Args:
        name: The model's name.
        space: Of the actions.

    Raises:
        SchemaError: Values of such a space cannot travel (``Graph``, custom spaces).
    """
    return _space_model(name, Action, _ACTION_FIELD, space, validates=True)


def observation_model(
    name: str, space: Space, keywords: Mapping[str, Any] | None = None
) -> SpaceModel[Observation]:
    """Make a model of observations. Nothing is validated here: clients read them by the same space.

    Args:
        name: The model's name.
        space: Of the observations.
        keywords: More for the model's JSON Schema.

    Raises:
        SchemaError: As `action_model`.
    """
    return _space_model(name, Observation, _OBSERVATION_FIELD, space, keywords)


def _space_model(
    name: str,
    base: type[ModelT],
    field: str,
    space: Space,
    keywords: Mapping[str, Any] | None = None,
    validates: bool = False,
) -> SpaceModel[ModelT]:
    is_record = isinstance(space, spaces.Dict) and bool(space.spaces) and _are_fields(space.spaces, base)
    parts = dict(space.spaces) if is_record and isinstance(space, spaces.Dict) else {field: space}
    hint = {"gymnasium_space": hint_for(space)} if is_record else {"gymnasium_field": field}
    config = ConfigDict(json_schema_extra={**(keywords or {}), **hint})
    annotated = types.new_class(name, (base,), exec_body=lambda body: body.update(model_config=config))
    fields: dict[str, Any] = {key: _field(part, validates) for key, part in parts.items()}
    model: type[ModelT] = create_model(name, __base__=annotated, **fields)
    return SpaceModel(model, space, tuple(parts), is_record)


def _field(space: Space, validates: bool) -> Any:
    schema = {"gymnasium_space": hint_for(space), **_json_type(space)}
    kind: Any = Any
    if validates:
        codec = codec_for(schema)  # its errors are ValueErrors, as pydantic wants them
        kind = Annotated[Any, BeforeValidator(codec.decode), PlainSerializer(codec.encode, when_used="json")]
    return kind, Field(description=str(space), json_schema_extra=schema)


def _are_fields(names: Mapping[Any, Any], base: type[BaseModel]) -> bool:
    """Whether a model can have fields of these names."""
    return all(
        isinstance(name, str)
        and name.isidentifier()
        and not name.startswith(("_", "model_"))
        and name not in base.model_fields
        and not hasattr(base, name)
        for name in names
    )


def _json_type(space: Space) -> dict[str, Any]:
    """Describe the JSON form of a space's elements, for readers who know no gymnasium."""
    match space:
        case spaces.Discrete():
            first = int(space.start)
            return {"type": "integer", "minimum": first, "maximum": first + int(space.n) - 1}
        case spaces.Box(shape=()):
            return {"type": "number" if np.dtype(space.dtype).kind == "f" else "integer"}
        case spaces.Text():
            return {"type": "string", "maxLength": space.max_length}
        case spaces.Dict():
            return {"type": "object"}
    return {"type": "array"}
