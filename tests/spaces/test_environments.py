"""The codecs of actions and observations, as environments publish their schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, OneOf, Sequence
from jsonschema import Draft202012Validator
from pydantic import Field

from openenv_gym.errors import InvalidActionError, SchemaError
from openenv_gym.models import Action, Observation
from openenv_gym.spaces import JsonText, Text, action_codec, observation_codec


class EchoAction(Action):
    message: str


class GitAction(Action):
    action_type: str
    repo_name: str = ""
    target_dir: str | None = None
    command: str = ""
    working_dir: str = ""


class StrictGitAction(GitAction):
    action_type: Literal["clone_repo", "list_repos", "execute_git_command"]


class GitObservation(Observation):
    success: bool = False
    message: str = ""
    output: str = ""
    error: str = ""
    repos: list[dict[str, str]] = Field(default_factory=list)


DESK: dict[str, Any] = json.loads((Path(__file__).parent / "schemas" / "ticket_desk.json").read_text())


def test_an_echo_action_is_one_text() -> None:
    codec = action_codec(EchoAction.model_json_schema())
    assert codec.space == Dict({"message": Text()})
    assert codec.encode({"message": "héllo 😀"}) == {"message": "héllo 😀"}
    assert codec.text_fields == ()


@pytest.mark.parametrize("model", [GitAction, StrictGitAction])
def test_git_actions_of_both_kinds_survive_both_ways(model: type[GitAction]) -> None:
    codec = action_codec(model.model_json_schema())
    is_strict = model is StrictGitAction
    assert codec.space["action_type"] == (Discrete(3) if is_strict else Text())
    assert codec.space["target_dir"] == OneOf([Text(), Discrete(1)])
    action = codec.decode({"action_type": "clone_repo", "repo_name": "OpenEnv"})
    assert codec.space.contains(action)
    assert action["target_dir"] == (1, 0)
    assert codec.encode(action) == model(action_type="clone_repo", repo_name="OpenEnv").model_dump(
        exclude={"metadata"}
    )
    codec.space.seed(0)
    for _ in range(20):
        model.model_validate(codec.encode(codec.space.sample()))


def test_a_git_observation_keeps_its_repos() -> None:
    codec = observation_codec(GitObservation.model_json_schema())
    assert codec.text_fields == ("repos[]",)
    assert isinstance(codec.space["repos"], Sequence)
    observation = GitObservation(
        success=True, output="naïve\x00", repos=[{"name": "a", "clone_url": "b"}] * 2
    )
    value = observation.model_dump()
    element = codec.decode(value)
    assert codec.space.contains(element)
    assert element["repos"] == ('{"name":"a","clone_url":"b"}',) * 2
    assert codec.encode(element) == observation.model_dump(
        exclude={"done", "reward", "metadata", "truncated"}
    )


def test_decoding_passes_over_the_envelope_and_nothing_else() -> None:
    codec = observation_codec(GitObservation.model_json_schema())
    assert codec.decode({"done": True, "reward": None, "metadata": {}, "truncated": False})["success"] == 0
    with pytest.raises(SchemaError, match="no fields but"):
        codec.decode({"surprise": 1})


def test_an_action_that_requires_metadata_keeps_it() -> None:
    class Labelled(Action):
        metadata: dict[str, Any]

    assert set(action_codec(Labelled.model_json_schema()).space) == {"metadata"}


def test_a_union_of_actions_loses_the_envelope_in_each_branch() -> None:
    schema = {
        "oneOf": [{"$ref": "#/$defs/EchoAction"}, {"$ref": "#/$defs/GitAction"}],
        "$defs": {"EchoAction": EchoAction.model_json_schema(), "GitAction": GitAction.model_json_schema()},
    }
    codec = action_codec(schema)
    assert codec.space[0] == Dict({"message": Text()})
    assert codec.decode({"message": "x"}) == (0, {"message": "x"})
    assert "metadata" not in codec.space[1].spaces
    assert codec.encode(codec.decode({"action_type": "x"}))["action_type"] == "x"


def test_the_desk_action_of_a_published_schema() -> None:
    codec = action_codec(DESK["action"])
    assert codec.text_fields == ("assignee.mail", "arguments")
    value = {"ticket": 3, "assignee": {"name": "Ada"}}
    filled = {"verb": "assign", "ticket": 3, "priority": "normal", "assignee": {"name": "Ada", "mail": None}}
    assert codec.encode(codec.decode(value)) == filled
    with pytest.raises(InvalidActionError, match=r"assignee\.name: expected text of 1"):
        codec.decode({"ticket": 3, "assignee": {"name": ""}})
    codec.space.seed(1)
    validator = Draft202012Validator(DESK["action"])
    for _ in range(20):
        validator.validate(codec.encode(codec.space.sample()))


def test_step_and_reset_observations_share_one_space() -> None:
    codec = observation_codec(DESK["observation"], DESK["reset_observation"])
    absent = Discrete(1)
    assert codec.space == Dict(
        {
            "comments": codec.space["comments"],
            "result": codec.space["result"],
            "score": OneOf([Box(0, 1, (), np.float64), absent]),
            "greeting": OneOf([Text(), absent]),
        }
    )
    for value in (
        {"greeting": "hi"},
        {"greeting": "hi", "score": 1.0},
        {"comments": [{"text": "t", "replies": [{"text": "u", "replies": []}]}], "score": 0.0, "result": [1]},
        {"comments": [], "score": 0.5, "result": None},
    ):
        element = codec.decode(value)
        assert codec.space.contains(element)
        assert codec.encode(element) == {"comments": [], **value}


def record(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }


@pytest.mark.parametrize(
    ("step", "reset", "space"),
    [
        ({"type": "string"}, {"type": "string", "title": "T"}, Text()),
        ({"type": "string"}, {"type": "string", "maxLength": 3}, OneOf([Text(), Text(3)])),
        ({"type": "string"}, {"type": "boolean"}, OneOf([Text(), Discrete(2)])),
        ({"type": "boolean"}, {}, JsonText()),
    ],
)
def test_a_field_of_both_may_have_either_form(step: Any, reset: Any, space: Any) -> None:
    assert observation_codec(record(x=step), record(x=reset)).space["x"] == space


@pytest.mark.parametrize(
    ("step", "reset", "is_optional"),
    [
        ((True, {}), (True, {}), False),
        ((True, {}), (False, {}), True),
        ((True, {}), (False, {"default": 1}), False),
        ((False, {"default": 1}), (False, {"default": 1}), False),
        ((False, {"default": 1}), (False, {"default": 2}), True),
        ((False, {"default": 1}), (False, {}), True),
        ((False, {"default": 1}), None, True),
    ],
)
def test_a_field_is_optional_unless_missing_means_the_same_in_both(
    step: tuple[bool, Any], reset: tuple[bool, Any] | None, is_optional: bool
) -> None:
    def schema(part: tuple[bool, Any] | None) -> dict[str, Any]:
        if part is None:
            return record()
        return record(["x"] if part[0] else [], x={"type": "integer", **part[1]})

    codec = observation_codec(schema(step), schema(reset))
    assert isinstance(codec.space["x"], OneOf) is is_optional
    assert codec.encode(codec.decode({"x": 5})) == {"x": 5}


def test_observations_of_different_kinds_are_alternatives() -> None:
    codec = observation_codec(record(x={"type": "string"}), {"type": "array", "items": {"type": "string"}})
    assert codec.decode({"x": "a", "done": True}) == (0, {"x": "a"})
    assert codec.decode(["a"]) == (1, ("a",))


def test_an_open_observation_keeps_unnamed_fields() -> None:
    step = {**record(x={"type": "string"}), "additionalProperties": True}
    codec = observation_codec(step, record(x={"type": "string"}))
    value = {"x": "a", "more": [1]}
    assert codec.encode(codec.decode({**value, "done": True})) == value
    codec.space.seed(0)
    for _ in range(20):
        assert codec.space.contains(codec.decode(codec.encode(codec.space.sample())))


def test_lenient_observations_may_miss_fields_and_bring_others() -> None:
    codec = observation_codec(DESK["observation"], lenient=True)
    for value in ({}, {"score": 0.5}, {"tool": "x", "result": None}):
        element = codec.decode(value)
        assert codec.space.contains(element)
        assert codec.encode(element) == {"result": None, "comments": [], **value}


def test_the_bound_of_texts_can_be_set() -> None:
    codec = observation_codec(GitObservation.model_json_schema(), max_text_length=10)
    assert codec.space["output"] == Text(10)
    with pytest.raises(SchemaError, match="output: expected text of 0 to 10 characters"):
        codec.decode({"output": "x" * 11})
