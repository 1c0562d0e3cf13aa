"""The host by itself: no loop, no thread, no process."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, field_validator

from openenv_gym.errors import InvalidActionError
from openenv_gym.models import Action, Observation
from openenv_gym.server.definition import define
from openenv_gym.server.host import EnvironmentHost
from openenv_gym.server.jobs import Answer, Question
from openenv_gym.wire.messages import ErrorCode, ErrorReply, McpReply, Op, Outcome, Request, StateReply
from tests.server import battery


class Even(Action):
    number: int

    @field_validator("number")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("odd numbers are not played")
        return value


class Scripted(battery.Battery):
    """Returns from each method what a test puts there."""

    to_return: Any = Observation()
    to_show: Any = None

    def step(self, action: Any, timeout_s: float | None = None) -> Any:
        return self.to_return() if callable(self.to_return) else self.to_return

    @property
    def state(self) -> Any:
        return self.to_show


def open_host(
    env: Any = Scripted, action_cls: type[BaseModel] = Action, **attributes: Any
) -> EnvironmentHost:
    cls = type(env.__name__, (env,), attributes)
    host = EnvironmentHost(define(cls, action_cls, Observation, execution="inline"))
    assert host.open() is None
    return host


def step_to(returned: Any, **attributes: Any) -> Any:
    host = open_host(to_return=staticmethod(returned) if callable(returned) else returned, **attributes)
    return host.handle(Request(Op.STEP, {}))


class Loose(BaseModel):
    """An observation that promises nothing."""

    done: Any = False
    reward: Any = None
    metadata: Any = None


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        (None, None),
        (2, 2),
        (2**60 + 1, 2**60 + 1),
        (True, 1.0),
        (0.25, 0.25),
        (float("inf"), float("inf")),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.array(1.5), 1.5),
    ],
)
def test_rewards_are_real_numbers(reward: Any, expected: Any) -> None:
    reply = step_to(Loose(reward=reward), LENIENT=True)
    assert isinstance(reply, Outcome)
    assert reply.reward == expected
    assert type(reply.reward) in (int, float, type(None))


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (Loose(reward="much"), "step() returned a reward that is a str, not a number"),
        (Loose(metadata=[1]), "step() returned metadata that is a list, not a dict"),
        ({"text": "x"}, "step() returned dict, not Observation"),
        (None, "step() returned NoneType, not Observation"),
    ],
)
def test_what_is_no_observation_is_named(observation: Any, message: str) -> None:
    reply = step_to(observation, LENIENT=True)
    assert reply == ErrorReply(ErrorCode.EXECUTION_ERROR, f"TypeError: {message}", {"type": "TypeError"})


def test_only_lenient_environments_return_other_models() -> None:
    assert isinstance(step_to(Loose(), LENIENT=True), Outcome)
    assert step_to(Loose()).message == "TypeError: step() returned Loose, not Observation"


def test_the_envelope_is_taken_out_of_the_observation() -> None:
    given = battery.Seen(text="x", done=True, truncated=True, reward=1.0, metadata={"a": (1,)})
    assert step_to(given) == Outcome({"text": "x", "value": None}, 1.0, True, True, {"a": [1]})


def test_a_forgotten_async_is_explained(recwarn: pytest.WarningsRecorder) -> None:
    async def later() -> Observation:
        return Observation()

    assert "step() returned an awaitable: write it `async def`" in step_to(later).message
    assert not recwarn


@pytest.mark.parametrize("seed", [-1, True, "7", 1.5])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    reply = open_host().handle(Request(Op.RESET, {"seed": seed}))
    assert isinstance(reply, ErrorReply)
    assert reply.code == ErrorCode.VALIDATION_ERROR
    assert reply.details["errors"][0]["loc"] == ["seed"]


def test_what_is_dropped_is_told_only_if_it_was_given() -> None:
    definition = define(battery.Foreign, battery.PlainAction, battery.PlainObservation)
    host = EnvironmentHost(definition)
    host.open()
    silent = host.handle(Request(Op.RESET, {"seed": None, "episode_id": None}))
    told = host.handle(Request(Op.RESET, {"seed": 0, "episode_id": "e"}))
    assert isinstance(silent, Outcome)
    assert silent.metadata is None
    assert isinstance(told, Outcome)
    assert told.metadata == {"dropped": ["seed", "episode_id"]}


def test_validation_errors_can_be_sent() -> None:
    host = open_host(action_cls=Even)
    reply = host.handle(Request(Op.STEP, {"number": 3, "extra": {"large": "x" * 1000}}))
    assert isinstance(reply, ErrorReply)
    found = {error["loc"][0]: error for error in json.loads(json.dumps(reply.details))["errors"]}
    assert found["number"]["msg"] == "Value error, odd numbers are not played"
    assert found["number"]["input"] == 3
    assert "input" not in found["extra"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"score": (1, 2)}, {"score": [1, 2]}),
        (Loose(reward=2), {"done": False, "reward": 2, "metadata": None}),
    ],
)
def test_a_state_is_a_model_or_a_dict(state: Any, expected: dict[str, Any]) -> None:
    assert open_host(to_show=state).handle(Request(Op.STATE)) == StateReply(expected)


def test_a_state_that_is_neither_is_an_error() -> None:
    reply = open_host(to_show="won").handle(Request(Op.STATE))
    assert isinstance(reply, ErrorReply)
    assert reply.message == "TypeError: state is a str, not a model or a dict"


def test_a_state_that_is_a_method_is_called() -> None:
    host = open_host(state=lambda self: {"called": True})
    assert host.handle(Request(Op.STATE)) == StateReply({"called": True})


def test_mcp_is_the_environments_if_it_has_it() -> None:
    host = open_host(handle_mcp=lambda self, message: {"id": message["id"], "result": ["tool"]})
    assert host.handle(Request(Op.MCP, {"id": 1})) == McpReply({"id": 1, "result": ["tool"]})


def test_questions_reach_only_methods_that_describe() -> None:
    host = open_host(num_tasks=lambda self, split: {"train": 5}[split])
    assert host.handle(Question("num_tasks", {"split": "train"})) == Answer(5)
    failed = host.handle(Question("num_tasks", {"split": "test"}))
    assert isinstance(failed, ErrorReply)
    assert failed.details == {"type": "KeyError"}
    for method in ("close", "reset", "__init__", "get_task"):
        refused = host.handle(Question(method))
        assert isinstance(refused, ErrorReply)
        assert refused.details == {"missing": method}


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError(), "ValueError"),
        (Mute(), "Mute: (its message cannot be shown)"),
        (ValueError("x" * 20_000), "ValueError: " + "x" * 10_000 + "... (20000 characters)"),
    ],
)
def test_messages_of_exceptions(error: Exception, message: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR):
        assert step_to(fail).message == message
    assert any(record.exc_info for record in caplog.records), "the traceback belongs into the log"


def test_details_that_cannot_be_sent_are_left_out() -> None:
    def refuse() -> None:
        raise InvalidActionError("illegal", details={"legal": ("a1", "b2")})

    def refuse_badly() -> None:
        raise InvalidActionError("illegal", details={"board": object()})

    assert step_to(refuse).details == {"errors": [], "legal": ["a1", "b2"]}
    assert step_to(refuse_badly).details == {"errors": []}


def test_close_closes_once_and_never_a_shared_instance() -> None:
    closed: list[str] = []
    close: Callable[[Any], None] = lambda self: closed.append("closed")  # noqa: E731
    host = open_host(close=close)
    host.close()
    host.close()
    assert closed == ["closed"]
    shared = EnvironmentHost(define(type("Shared", (Scripted,), {"close": close})(), Action, Observation))
    shared.open()
    shared.close()
    assert closed == ["closed"]


def test_close_is_not_the_environments_business_as_a_request() -> None:
    reply = open_host().handle(Request(Op.CLOSE))
    assert isinstance(reply, ErrorReply)
    assert reply.code == ErrorCode.UNKNOWN_TYPE
