"""Properties over generated JSON Schemas: values survive both ways, and samples are valid."""

from __future__ import annotations

import pickle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from openenv_gym.spaces import codec_for
from openenv_gym.spaces.json_equality import json_equal

# A schema with a strategy of pairs: a value that is valid under it, and that value with defaults filled in.
Pair = tuple[Any, Any]
Case = tuple[dict[str, Any], st.SearchStrategy[Pair]]

quick = settings(derandomize=True, max_examples=100, deadline=None, database=None)

names = st.text("abcdefxyz_.-é ", min_size=1, max_size=4)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
int64s = st.integers(-(2**63), 2**63 - 1)
exact_floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | exact_floats | texts
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def same(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return strategy.map(lambda value: (value, value))


@st.composite
def leaves(draw: st.DrawFn) -> Case:
    low = draw(st.integers(-1000, 1000))
    high = low + draw(st.integers(2, 5000))
    table = draw(st.lists(scalars, min_size=1, max_size=5, unique_by=repr))
    shortest = draw(st.integers(0, 3))
    cases: list[Case] = [
        ({"type": "string"}, same(texts)),
        (
            {"type": "string", "minLength": shortest, "maxLength": shortest + 5},
            same(st.text(st.characters(exclude_categories=["Cs"]), min_size=shortest, max_size=shortest + 5)),
        ),
        ({"type": "string", "format": "binary"}, same(texts)),
        ({"type": "string", "format": "uuid"}, same(st.uuids().map(str))),
        ({"type": "string", "pattern": "^[a-c]{2,4}-[0-9]+$"}, same(st.from_regex(r"\A[a-c]{2,4}-[0-9]+\Z"))),
        ({"type": "boolean"}, same(st.booleans())),
        ({"type": "null"}, same(st.none())),
        ({"type": "integer"}, same(int64s)),
        ({"type": "integer", "minimum": low}, same(st.integers(low, 2**63 - 1))),
        ({"type": "integer", "minimum": low, "maximum": high}, same(st.integers(low, high))),
        (
            {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": high},
            same(st.integers(low + 1, high - 1)),
        ),
        ({"type": "integer", "multipleOf": 3}, same(st.integers(-50, 50).map(lambda n: 3 * n))),
        ({"type": "number"}, same(exact_floats | st.integers(-(2**53), 2**53))),
        ({"type": "number", "minimum": low}, same(st.floats(low, allow_infinity=False))),
        (
            {"type": "number", "exclusiveMinimum": low, "maximum": high},
            same(st.floats(low, high, exclude_min=True)),
        ),
        ({"enum": table}, same(st.sampled_from(table))),
        ({"const": table[0]}, same(st.just(table[0]))),
        (
            {"type": "object", "additionalProperties": True},
            same(st.dictionaries(texts, anything, max_size=3)),
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            same(st.dictionaries(texts, st.integers(), max_size=3)),
        ),
        (
            {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
            same(st.lists(texts, unique=True)),
        ),
        ({}, same(anything)),
    ]
    return draw(st.sampled_from(cases))


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    fields = draw(st.dictionaries(names, inner, min_size=1, max_size=4))
    properties: dict[str, Any] = {}
    required = []
    parts: dict[str, st.SearchStrategy[tuple[bool, Pair]]] = {}
    for name, (schema, pairs) in fields.items():
        kind = draw(st.sampled_from(["required", "default", "optional"]))
        present = pairs.map(lambda pair: (True, pair))
        if kind == "required":
            required.append(name)
            properties[name], parts[name] = schema, present
        elif kind == "default":
            default, filled = draw(pairs)
            properties[name] = {**schema, "default": default}
            parts[name] = present | st.just((False, (default, filled)))
        else:
            # A list that may be empty and is missing reads as empty (see the compiler's `_default`).
            filled = [] if schema.get("type") == "array" and not schema.get("minItems") else MISSING
            properties[name], parts[name] = schema, present | st.just((False, (MISSING, filled)))
    schema = {"type": "object", "properties": properties, "required": required}
    if draw(st.booleans()):
        schema["additionalProperties"] = False

    def pair(drawn: dict[str, tuple[bool, Pair]]) -> Pair:
        value = {name: part[0] for name, (is_present, part) in drawn.items() if is_present}
        filled = {name: part[1] for name, (_, part) in drawn.items() if part[1] is not MISSING}
        return value, filled

    return schema, st.fixed_dictionaries(parts).map(pair)


MISSING = object()


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    schema, pairs = draw(inner)
    shortest = draw(st.integers(0, 2))
    bounded = {"type": "array", "items": schema, "minItems": shortest, "maxItems": shortest + 2}
    whole, size = draw(
        st.sampled_from([({"type": "array", "items": schema}, (0, 3)), (bounded, (shortest, shortest + 2))])
    )
    return whole, st.lists(pairs, min_size=size[0], max_size=size[1]).map(unzipped)


@st.composite
def tuples(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    places = draw(st.lists(inner, min_size=1, max_size=3))
    schema = {
        "type": "array",
        "prefixItems": [schema for schema, _ in places],
        "minItems": len(places),
        "maxItems": len(places),
    }
    return schema, st.tuples(*(pairs for _, pairs in places)).map(unzipped)


def unzipped(pairs: Any) -> Pair:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@st.composite
def nullables(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    schema, pairs = draw(inner)
    return {"anyOf": [schema, {"type": "null"}]}, pairs | same(st.none())


@st.composite
def unions(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    """Alternatives of different types, so that a value's defaults are those of one alternative."""
    element, elements = draw(inner)
    cases: list[Case] = [
        ({"type": "boolean"}, same(st.booleans())),
        ({"type": "integer"}, same(int64s)),
        ({"type": "number"}, same(exact_floats)),
        ({"type": "string"}, same(texts)),
        ({"type": "array", "items": element}, st.lists(elements, max_size=2).map(unzipped)),
        (
            {"type": "object", "additionalProperties": True},
            same(st.dictionaries(texts, anything, max_size=2)),
        ),
    ]
    chosen = draw(
        st.lists(st.sampled_from(cases), min_size=2, max_size=4, unique_by=lambda case: str(case[0]))
    )
    return {"anyOf": [schema for schema, _ in chosen]}, st.one_of([pairs for _, pairs in chosen])


@st.composite
def discriminated(draw: st.DrawFn, inner: st.SearchStrategy[Case]) -> Case:
    branches: list[Case] = []
    for tag in draw(st.lists(names, min_size=2, max_size=3, unique=True)):
        schema, pairs = draw(objects(inner))
        schema = {
            **schema,
            "properties": {**schema["properties"], "kind!": {"const": tag, "type": "string"}},
            "required": [*schema["required"], "kind!"],
        }
        branches.append(
            (schema, pairs.map(lambda pair, tag=tag: tuple({**part, "kind!": tag} for part in pair)))
        )
    return {"oneOf": [schema for schema, _ in branches]}, st.one_of([pairs for _, pairs in branches])


cases = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        objects(inner),
        objects(inner),
        arrays(inner),
        tuples(inner),
        nullables(inner),
        unions(inner),
        discriminated(inner),
    ),
    max_leaves=6,
)


def referenced(case: Case) -> Case:
    """The same schema with every property's schema moved into ``$defs``."""
    definitions: dict[str, Any] = {}

    def moved(schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        schema = {
            keyword: [moved(part) for part in operand]
            if keyword in ("anyOf", "oneOf", "prefixItems")
            else operand
            for keyword, operand in schema.items()
        }
        for name, subschema in schema.get("properties", {}).items():
            key = f"Part/{len(definitions)}~"
            definitions[key] = None  # taken, before the nested ones count on
            definitions[key] = {
                part: operand for part, operand in moved(subschema).items() if part != "default"
            }
            reference = {"$ref": "#/$defs/" + key.replace("~", "~0").replace("/", "~1"), "title": "A part"}
            default = {"default": subschema["default"]} if "default" in subschema else {}
            schema["properties"] = {**schema["properties"], name: {**reference, **default}}
        return schema

    schema, pairs = case
    return {**moved(schema), "$defs": definitions}, pairs


@quick
@given(st.data())
def test_values_survive_both_ways(data: st.DataObject) -> None:
    schema, pairs = data.draw(cases | cases.map(referenced))
    value, filled = data.draw(pairs)
    Draft202012Validator(schema).validate(value)
    codec = codec_for(schema)
    element = codec.decode(value)
    assert codec.space.contains(element)
    assert json_equal(codec.encode(element), filled)


@quick
@given(case=cases | cases.map(referenced), seed=st.integers(0, 2**31))
def test_samples_encode_to_valid_values(case: Case, seed: int) -> None:
    schema, _ = case
    codec = codec_for(schema)
    codec.space.seed(seed)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for _ in range(3):
        element = codec.space.sample()
        assert codec.space.contains(element)
        value = codec.encode(element)
        validator.validate(value)
        assert json_equal(codec.encode(codec.decode(value)), value)


@quick
@given(cases)
def test_equal_schemas_give_equal_spaces_and_codecs_can_be_pickled(case: Case) -> None:
    codec = codec_for(case[0])
    assert codec_for(case[0]).space == codec.space
    copied = pickle.loads(pickle.dumps(codec))
    assert copied.space == codec.space
    value = codec.encode(codec.space.sample())
    assert json_equal(copied.encode(copied.decode(value)), value)
