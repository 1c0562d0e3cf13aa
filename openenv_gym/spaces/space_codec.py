"""JSON Schema to gymnasium space, and values both ways without loss.

========================================  ==============================================================
schema                                    space, and element
========================================  ==============================================================
``string``                                ``Text`` (any Unicode), a ``str``
``enum``, ``const``, ``null``             ``Discrete(number of values)``, the value's index
``boolean``                               ``Discrete(2)``
``integer`` with both bounds              ``Discrete(high - low + 1)``, the distance from ``low``
... without, or more than 2^31 values     ``Box(int64)`` of shape ``()``
``number``                                ``Box(float64)`` of shape ``()``
``object`` with ``properties``            ``Dict``
``array`` of ``items``                    ``Sequence``, a tuple
``array`` of ``prefixItems``              ``Tuple``
``array`` with ``shape`` and ``dtype``    ``Box``
``anyOf``, ``oneOf``, nullable            ``OneOf`` of the alternatives in order, ``(index, element)``
``gymnasium_space`` hint                  the space it describes, exactly
anything else                             ``JsonText``, the value as JSON text; ``text_fields`` names them
========================================  ==============================================================

Every element has every field. A field that is not required takes its default while decoding; for an array
without a declared one that is the empty array. Any other field without a default is a ``OneOf`` whose last
branch, ``Discrete(1)``, means "left out", and is left out when encoded.
``null`` is a value like any other: a branch at the place where the schema has it. So ``str | None`` is
``OneOf(Text, Discrete(1))``: ``(0, "text")`` or ``(1, 0)``.

A whole action or observation says by a ``gymnasium_space`` hint of a ``Dict`` which of its properties make up
the space, and by ``gymnasium_field`` that its space is that of one property: with
``"gymnasium_field": "action_id"`` an agent acts by a bare integer. The other properties are passed over, and
left out of an encoded action, where their defaults apply.

Where an observation says ``"gymnasium_bounds": "nominal"``, its arrays may leave the bounds of their spaces,
and hold ``NaN``, as those of many a Gymnasium environment do.

An object that allows additional properties beside named ones has one more field, ``additional_properties``,
with the rest as a JSON object. Otherwise an unknown field is an error.

Numbers never change in silence: an integer beyond ``int64``, or one that ``float64`` would round, is an
error. ``NaN`` and infinities are in a number's space where no bound excludes them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gymnasium.spaces import Space

from openenv_gym.errors import InvalidActionError, OpenEnvGymError, SchemaError
from openenv_gym.spaces.batching import batched
from openenv_gym.spaces.compiler import Compiler, either
from openenv_gym.spaces.keywords import is_record
from openenv_gym.spaces.schema import Schema, expand
from openenv_gym.spaces.schema_merge import merged
from openenv_gym.spaces.text import DEFAULT_MAX_LENGTH
from openenv_gym.spaces.value_codec import Misfit, ValueCodec

#: Fields of an observation that are no part of its space: Gymnasium returns them on their own.
OBSERVATION_ENVELOPE = frozenset({"done", "reward", "metadata", "truncated"})
#: Fields of an action that are no part of its space.
ACTION_ENVELOPE = frozenset({"metadata"})


class SpaceCodec:
    """A gymnasium space, with the translation between its elements and JSON values.

    Make one with :func:`codec_for`, :func:`action_codec` or :func:`observation_codec`. It keeps nothing
    between calls, so threads can share it, and it can be pickled.

    Attributes:
        space: The space of the elements.
        text_fields: Dotted paths of the fields that hold JSON text (``repos[]``, ``call.arguments``); ``""``
            when the whole value does.
    """

    def __init__(
        self, codec: ValueCodec, noun: str = "value", error: type[OpenEnvGymError] = SchemaError
    ) -> None:
        self._codec = codec
        self._noun = noun
        self._error = error
        self.space: Space[Any] = codec.space
        self.text_fields: tuple[str, ...] = tuple(dict.fromkeys(codec.text_fields("")))

    def decode(self, value: Any) -> Any:
        """Turn a JSON value into a fresh element of :attr:`space`, defaults filled in.

        Raises:
            SchemaError: The value does not fit the schema (from :func:`action_codec`: InvalidActionError).
                The message names the path, what was expected and what came.
        """
        try:
            return self._codec.decode(value)
        except Misfit as misfit:
            raise self._error(misfit.message(self._noun)) from None

    def encode(self, element: Any) -> Any:
        """Turn an element of :attr:`space` into a JSON value.

        Takes what Gymnasium's users pass: Python and numpy scalars, arrays, any mapping, tuples or lists.

        Raises:
            SchemaError: The element is not in the space (from :func:`action_codec`: InvalidActionError).
        """
        try:
            return self._codec.encode(element)
        except Misfit as misfit:
            raise self._error(misfit.message(self._noun)) from None

    def decode_column(self, values: Sequence[Any], out: Any = None) -> Any:
        """Turn JSON values, one a lane, into a batch of elements: `decode` for each, but faster.

        Args:
            values: At least one.
            out: An earlier batch of so many elements, whose arrays are overwritten; ``None`` makes new ones.

        Raises:
            SchemaError: Some do not fit; the error is the first one's, as `decode` raises it.
        """
        try:
            return self._codec.decode_column(values, out)
        except Misfit:  # one by one, the error tells where
            return batched(self.space, [self.decode(value) for value in values], out)

    def encode_column(self, elements: Sequence[Any]) -> list[Any]:
        """Turn elements of :attr:`space`, at least one, into JSON values: `encode` for each.

        Raises:
            SchemaError: Some are not in the space; the error is the first one's, as `encode` raises it.
        """
        try:
            return self._codec.encode_column(elements)
        except Misfit:
            return [self.encode(element) for element in elements]

    def __repr__(self) -> str:
        return f"SpaceCodec({self.space})"


def codec_for(schema: Mapping[str, Any] | bool, *, max_text_length: int = DEFAULT_MAX_LENGTH) -> SpaceCodec:
    """Build the codec of a JSON Schema.

    Args:
        schema: A JSON Schema document, as pydantic's ``model_json_schema()`` writes it.
        max_text_length: Bound, in characters, of texts whose schema gives none.

    Raises:
        SchemaError: The schema admits no value, is malformed, too large, or refers outside itself.
    """
    return SpaceCodec(Compiler(max_text_length).compile(expand(schema)))


def action_codec(
    schema: Mapping[str, Any] | bool, *, max_text_length: int = DEFAULT_MAX_LENGTH
) -> SpaceCodec:
    """Build the codec of an action's schema: without ``metadata``, unless that is required.

    Args:
        schema: ``action`` of a server's ``/schema``.
        max_text_length: Bound, in characters, of texts whose schema gives none.

    Raises:
        SchemaError: As :func:`codec_for`.
    """
    expanded = expand(schema)
    required = expanded.get("required", ()) if isinstance(expanded, Mapping) else ()
    if isinstance(expanded, Mapping) and "gymnasium_field" in expanded:
        expanded = {
            **expanded,
            "required": [*required, expanded["gymnasium_field"]],
        }  # who acts by it gives it
    codec = _without(expanded, ACTION_ENVELOPE.difference(required), Compiler(max_text_length))
    return SpaceCodec(codec, "action", InvalidActionError)


def observation_codec(
    observation_schema: Mapping[str, Any] | bool,
    reset_observation_schema: Mapping[str, Any] | bool | None = None,
    *,
    lenient: bool = False,
    max_text_length: int = DEFAULT_MAX_LENGTH,
) -> SpaceCodec:
    """Build the codec of an environment's observations, of steps and of resets alike.

    ``done``, ``reward``, ``metadata`` and ``truncated`` are no part of the space; decoding passes over them.
    A field that only one of the schemas has, or for which they have different defaults, may be missing; one
    with two different schemas may be either.

    Args:
        observation_schema: ``observation`` of a server's ``/schema``.
        reset_observation_schema: Its ``reset_observation``; ``None`` when resets give the same.
        lenient: For servers that do not keep to their own schema: every field may be missing, and unknown
            ones are gathered in ``additional_properties``.
        max_text_length: Bound, in characters, of texts whose schema gives none.

    Raises:
        SchemaError: As :func:`codec_for`.
    """
    expanded = expand(observation_schema)
    nominal = isinstance(expanded, Mapping) and expanded.get("gymnasium_bounds") == "nominal"
    if reset_observation_schema is not None:
        expanded = merged(expanded, expand(reset_observation_schema))
    compiler = Compiler(max_text_length, bounded=not nominal)
    codec = _without(expanded, OBSERVATION_ENVELOPE, compiler, lenient)
    return SpaceCodec(codec, "observation")


def _without(schema: Schema, names: Collection[str], compiler: Compiler, lenient: bool = False) -> ValueCodec:
    """Compile a top-level schema, or each of its alternatives, without some of its fields."""
    if isinstance(schema, Mapping):
        if "gymnasium_space" in schema:
            return compiler.exact_record(schema, names)
        if "gymnasium_field" in schema:
            return compiler.one_field(schema, names)
        if is_record(schema):
            return compiler.record(schema, ignored=names, lenient=lenient)
        for keyword in ("anyOf", "oneOf"):
            if schema.keys() <= {keyword, "default"}:
                return either([_without(part, names, compiler, lenient) for part in schema[keyword]])
    return compiler.compile(schema)
