from __future__ import annotations

import datetime
import enum
import json
import math
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    computed_field,
    field_serializer,
)

from openenv_gym.models import Observation
from openenv_gym.server.plain import dump_model, plain, plainly_typed_fields


class Colour(enum.StrEnum):
    RED = "red"


class Flat(Observation):
    text: str = Field(default="", min_length=0)
    count: int = 0
    maybe: Optional[float] = None  # noqa: UP045 - both spellings of a union count
    kind: Literal["a", "b"] = "a"
    rows: list[list[int]] = Field(default=[])
    table: dict[str, Any] = Field(default={})
    pair: tuple[int, str] = (1, "x")
    raw: bytes = b""
    anything: Any = None


class Nested(BaseModel):
    inner: Flat
    when: datetime.date


class Serialized(BaseModel):
    hidden: int = Field(default=1, exclude=True)
    shouted: Annotated[str, PlainSerializer(str.upper)] = "a"
    squared: int = 3
    colour: Colour = Colour.RED

    @field_serializer("squared")
    def _square(self, value: int) -> int:
        return value * value

    @computed_field
    def double(self) -> int:
        return 2 * self.squared


class Overriding(BaseModel):
    value: int = 1

    def model_dump(self, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        return {"value": "overridden"}


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_plain_values_pass_unchanged(value: Any) -> None:
    assert repr(plain(value)) == repr(value)


@given(st.text(), st.integers(), st.none() | st.floats(), st.lists(st.lists(st.integers())), JSON)
def test_the_short_way_gives_what_pydantic_gives(
    text: str, count: int, maybe: Any, rows: Any, value: Any
) -> None:
    model = Flat(text=text, count=count, maybe=maybe, rows=rows, anything=value, table={"value": value})
    assert plainly_typed_fields(Flat) is not None
    assert repr(dump_model(model)) == repr(plain(model.model_dump()))


@pytest.mark.parametrize("cls", [Serialized, Overriding, Open, Nested])
def test_models_that_shape_their_own_dump_take_the_long_way(cls: type[BaseModel]) -> None:
    assert plainly_typed_fields(cls) is None


def test_what_pydantic_makes_of_a_model_is_kept() -> None:
    assert dump_model(Serialized()) == {"shouted": "A", "squared": 9, "colour": "red", "double": 6}
    assert dump_model(Overriding()) == {"value": "overridden"}
    assert dump_model(Open(extra=[1])) == {"extra": [1]}
    nested = dump_model(Nested(inner=Flat(text="x"), when=datetime.date(2026, 1, 2)))
    assert (nested["when"], nested["inner"]["text"]) == ("2026-01-02", "x")


def test_other_values_become_plain() -> None:
    point = namedtuple("point", "x y")
    values = {
        "enum": Colour.RED,
        "tuple": (1, (2,)),
        "named": point(1, 2),
        "set": {3},
        "ordered": OrderedDict(a=1),
        "path": Path("/tmp/x"),
        "scalar": np.float32(0.5),
        "flag": np.bool_(True),
        "model": Open(a=(1,)),
        "objects": np.array([None, "a"], dtype=object),
        2: "key",
        False: "other key",
    }
    assert json.loads(json.dumps(plain(values))) == {
        "enum": "red",
        "tuple": [1, [2]],
        "named": [1, 2],
        "set": [3],
        "ordered": {"a": 1},
        "path": "/tmp/x",
        "scalar": 0.5,
        "flag": True,
        "model": {"a": [1]},
        "objects": [None, "a"],
        "2": "key",
        "false": "other key",
    }
    assert type(plain(Colour.RED)) is str
    assert type(plain(np.float64(1.5))) is float
    assert math.isnan(plain(float("nan")))


def test_arrays_and_bytes_stay_and_are_copies() -> None:
    array = np.zeros((2, 2), np.uint8)
    copy = plain({"array": array, "bytes": bytearray(b"ab")})
    assert copy["bytes"] == b"ab"
    array[0, 0] = 9
    assert copy["array"].dtype == np.uint8
    assert copy["array"].tolist() == [[0, 0], [0, 0]]


class Screen(Observation):
    frame: Annotated[np.ndarray, WithJsonSchema({"type": "array"})]


def test_arrays_in_models_are_copies_too() -> None:
    array = np.zeros((2, 2), np.uint8)
    copy = dump_model(Screen(frame=array, metadata={"previous": array}))
    array[0, 0] = 9
    assert copy["frame"].tolist() == copy["metadata"]["previous"].tolist() == [[0, 0], [0, 0]]


def test_lists_are_copies() -> None:
    values = [1, 2]
    copy = plain({"values": values})
    values.append(3)
    assert copy == {"values": [1, 2]}


def test_what_has_no_form_is_named() -> None:
    with pytest.raises(TypeError, match=r"builtins\.object has no JSON form"):
        plain({"thing": [object()]})
