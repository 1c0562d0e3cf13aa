"""Models out and in: what travels, what comes back, and what is not known on this side."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from openenv_gym.client.conversion import action_payload, build_model
from openenv_gym.errors import InvalidActionError, ProtocolError
from openenv_gym.models import Action, Observation, State
from openenv_gym.wire import json_codec

NOTHING: dict[str, Any] = {}


class Colour(Enum):
    RED = "red"


class Paint(Action):
    colour: Colour = Colour.RED
    where: Path = Path("wall")
    when: datetime | None = None
    coats: float = 1.0


class Wall(Observation):
    area: float


def test_an_action_travels_as_json() -> None:
    action = Paint(when=datetime(2026, 1, 2, tzinfo=UTC))
    payload = action_payload(action, Paint)
    assert payload == {"colour": "red", "where": "wall", "when": "2026-01-02T00:00:00Z", "coats": 1.0}
    json_codec.encode(payload)


def test_metadata_travels_when_there_is_any() -> None:
    assert "metadata" not in action_payload(Paint(), Paint)
    assert action_payload(Paint(metadata={"id": 1}), Paint)["metadata"] == {"id": 1}


def test_floats_that_json_does_not_know_travel() -> None:
    assert math.isnan(action_payload(Paint(coats=math.nan), Paint)["coats"])


def test_arrays_travel() -> None:
    class Push(Action):
        force: np.ndarray[Any, Any]

    payload = action_payload(Push(force=np.zeros(2)), Push)
    assert json_codec.decode(json_codec.encode(payload)) == {"force": [0.0, 0.0]}


def test_a_mapping_travels_as_it_is_and_as_a_copy() -> None:
    action = {"anything": 1}
    payload = action_payload(action, Paint)
    assert payload == action
    assert payload is not action


def test_dataclasses_work_as_models() -> None:
    @dataclass
    class Move:
        dx: int

    @dataclass
    class Place:
        x: int
        done: bool = False

    assert action_payload(Move(2), Move) == {"dx": 2}
    assert build_model(Place, {"x": 3, "fresh": 1}, {"done": True, "reward": 1.0}) == Place(3, True)


def test_typed_dicts_work_as_models() -> None:
    class Place(TypedDict):
        x: int

    assert build_model(Place, {"x": 3, "metadata": {}}, {"done": True}) == {"x": 3}


@pytest.mark.parametrize("action", [None, 3, "text", Wall(area=1.0), [1]])
def test_anything_else_is_no_action(action: Any) -> None:
    with pytest.raises(InvalidActionError, match="Paint"):
        action_payload(action, Paint)


def test_any_model_will_do_where_none_is_declared() -> None:
    assert action_payload(Paint(), None)["coats"] == 1.0
    with pytest.raises(InvalidActionError, match="pydantic"):
        action_payload(3, None)


def test_what_travels_beside_the_observation_is_put_into_it() -> None:
    offered = {"done": True, "reward": 0.5, "truncated": True, "metadata": {"a": 1}}
    wall = build_model(Wall, {"area": 2.0}, offered)
    assert wall == Wall(area=2.0, **offered)
    own = build_model(Wall, {"area": 2.0, "metadata": {"own": 1}}, offered)
    assert own.metadata == {"own": 1}


def test_a_model_without_such_fields_is_not_given_them() -> None:
    class Bare(BaseModel):
        model_config = ConfigDict(extra="forbid")
        area: float

    assert build_model(Bare, {"area": 2.0, "metadata": {}}, {"done": True}) == Bare(area=2.0)


def test_fields_of_a_newer_server_are_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Newer(Observation):
        area: float

    with caplog.at_level(logging.WARNING, "openenv_gym.client"):
        for _ in range(3):
            wall = build_model(Newer, {"area": 2.0, "texture": "rough"}, NOTHING)
            assert wall == Newer(area=2.0)
    assert len(caplog.records) == 1
    assert "texture" in caplog.text
    assert "Newer" in caplog.text


def test_a_state_keeps_what_it_does_not_know() -> None:
    state = build_model(State, {"episode_id": "e", "step_count": 1, "level": 3}, NOTHING)
    assert state.model_dump() == {"episode_id": "e", "step_count": 1, "level": 3}


def test_aliases_are_known() -> None:
    class Aliased(Observation):
        area: float = Field(alias="Area")

    assert build_model(Aliased, {"Area": 2.0}, NOTHING).area == 2.0


@pytest.mark.parametrize("fields", [{}, {"area": "wide"}, {"area": None}])
def test_a_missing_or_wrong_field_names_itself(fields: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match=r"no Wall \(area: .*GenericEnvClient"):
        build_model(Wall, fields, NOTHING)


def test_without_a_model_the_fields_are_a_dict() -> None:
    assert build_model(None, {"area": "wide"}, {"done": True}) == {"area": "wide"}
