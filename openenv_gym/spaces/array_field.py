"""Arrays as fields of models, exact in the schema: ``Annotated[np.ndarray, ArrayOf(space)]``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import numpy as np
from gymnasium import spaces
from numpy.typing import DTypeLike, NDArray
from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from openenv_gym.spaces.hints import hint_for

ArraySpace = spaces.Box | spaces.MultiBinary | spaces.MultiDiscrete
ModelT = TypeVar("ModelT", bound=BaseModel)

_JSON_TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}
_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}  # of numbers that may become a dtype of this kind


class ArrayOf:
    """Annotation of a model's field that holds an array::

        class Seen(Observation):
            board: Annotated[np.ndarray, ArrayOf(Box(-1, 1, (6, 7), np.int8))]

    The field takes an array, or nested lists as JSON has them, and holds an array of one dtype.

    Args:
        content: A space, which gives shape, dtype and bounds: the model's schema carries it, so that a remote
            environment's space is this one exactly. Or a dtype alone, for an array whose shape is settled
            elsewhere (see `with_spaces`). Bounds are the schema's to tell; they are not checked here, where
            every observation passes.
        flat: Whether the field holds, and the wire carries, the values as one flat list in C order, as
            OpenEnv's environments send images. The remote environment's space has its shape all the same.
    """

    DUMPS_AS_IS = True  # what pydantic's serializer makes of the field is what it holds

    def __init__(self, content: ArraySpace | DTypeLike, *, flat: bool = False) -> None:
        self.space = content if isinstance(content, ArraySpace) else None
        self.dtype = np.dtype(content if self.space is None else self.space.dtype)
        self._flat = flat
        self._shape = None if self.space is None else self.space.shape
        if flat and self._shape is not None:
            self._shape = (math.prod(self._shape),)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic how to validate and dump the field."""
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                np.ndarray.tolist, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell pydantic the field's JSON Schema: nested arrays, with the space as a hint."""
        if self.space is None or self._shape is None:
            return {"type": "array"}
        described: dict[str, Any] = {"type": _JSON_TYPES[self.dtype.kind]}
        for _ in self._shape:
            described = {"type": "array", "items": described}
        hint = hint_for(self.space)
        return {**described, "gymnasium_space": {**hint, "flat": True} if self._flat else hint}

    def _validate(self, value: Any) -> NDArray[Any]:
        """Make the array; pydantic turns a ``ValueError`` into its own error."""
        numbers = np.asarray(value)  # raises ValueError for ragged lists
        if self._shape is not None and numbers.shape != self._shape:
            raise ValueError(f"expected numbers of shape {self._shape}, got {numbers.shape}")
        if numbers.dtype == self.dtype:
            return numbers
        if numbers.size and numbers.dtype.kind not in _KINDS[self.dtype.kind]:
            raise ValueError(f"expected numbers of dtype {self.dtype}, got {numbers.dtype}")
        converted = numbers.astype(self.dtype)
        if self.dtype.kind != "f" and not np.array_equal(converted, numbers):
            raise ValueError(f"the numbers do not fit dtype {self.dtype}")
        return converted


def with_spaces(model: type[ModelT], exact: Mapping[str, ArraySpace | ArrayOf]) -> type[ModelT]:
    """Make a model whose arrays have the shapes and bounds that a server has settled.

    Args:
        model: Its arrays of these names are declared by dtype alone, so that clients take any shape.
        exact: Their spaces, or annotations.
    """
    fields: dict[str, Any] = {
        name: (
            Annotated[np.ndarray, content if isinstance(content, ArrayOf) else ArrayOf(content)],
            Field(description=model.model_fields[name].description),
        )
        for name, content in exact.items()
    }
    made: type[ModelT] = create_model(model.__name__, __base__=model, __doc__=model.__doc__, **fields)
    return made
