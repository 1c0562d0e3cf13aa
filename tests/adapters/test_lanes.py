"""The lanes' bookkeeping without servers: faults, what is kept of a lane, and the batches made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from openenv_gym.adapters.interface import Interface
from openenv_gym.adapters.lanes import Calls, Lanes
from openenv_gym.errors import InvalidActionError, OpenEnvGymError, ProtocolError, SessionLostError
from openenv_gym.wire.messages import Op, Outcome

SCHEMA = {
    "action": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "observation": {
        "type": "object",
        "properties": {"count": {"type": "integer"}, "text": {"type": "string"}},
        "required": ["count", "text"],
    },
}
EVERYONE = [0, 1, 2]
ACTIONS = [{"text": "a"}] * 3
SEEDS = [1, 2, 3]
NONE = [None] * 3


def seen(count: int, **kwargs: Any) -> Outcome:
    return Outcome({"count": count, "text": "x" * count}, **kwargs)


def make_lanes(mode: AutoresetMode = AutoresetMode.NEXT_STEP, **kwargs: Any) -> Lanes:
    options: dict[str, Any] = {"max_episode_steps": None, "task_sampler": None, "truncate_on_fault": True}
    lanes = Lanes(Interface(SCHEMA), 3, mode, **{**options, **kwargs})
    assert finish(lanes, lanes.reset_calls(EVERYONE, SEEDS, NONE), [seen(1), seen(2), seen(3)]) == []
    return lanes


def finish(lanes: Lanes, calls: Calls, results: list[Any], out: Any = None) -> list[OpenEnvGymError]:
    lanes.started(calls)
    numbers = [lane for lane, _ in calls]
    finished, errors = lanes.finish(list(zip(numbers, results, strict=True)), out)
    assert len(finished) + len(errors) == len(numbers)
    return errors


def step(lanes: Lanes, results: list[Any]) -> list[OpenEnvGymError]:
    return finish(lanes, lanes.step_calls(EVERYONE, ACTIONS), results)


def infos(lanes: Lanes) -> dict[str, Any]:
    return lanes.infos(EVERYONE, slice(None), 3)


@pytest.mark.parametrize(
    "bad", [Outcome({"count": "x", "text": ""}), Outcome({}), SessionLostError("gone")], ids=str
)
def test_a_fault_keeps_the_last_valid_observation(bad: Any) -> None:
    lanes = make_lanes()
    batch = lanes.observations(EVERYONE)
    batch["count"][:] = -1  # the caller's own: what the lanes keep must not change
    assert step(lanes, [seen(4, reward=1.0), bad, seen(6, reward=None)]) == []
    batch = lanes.observations(EVERYONE)
    assert batch["count"].tolist() == [4, 2, 6]
    assert batch["text"] == ("x" * 4, "x" * 2, "x" * 6)
    rewards, terminations, truncations = lanes.ends(EVERYONE)
    assert rewards.tolist() == [1.0, 0.0, 0.0]
    assert not terminations.any()
    assert truncations.tolist() == [False, True, False]
    assert infos(lanes)["reward_given"].tolist() == [True, False, False]
    assert [bool(fault) for fault in infos(lanes)["fault"]] == [False, True, False]
    assert [request.op for _, request in lanes.step_calls(EVERYONE, ACTIONS)] == [Op.STEP, Op.RESET, Op.STEP]


def test_a_misfit_says_where_and_how_to_accept_it() -> None:
    lanes = make_lanes()
    step(lanes, [seen(1), Outcome({"count": 1, "text": 2}), seen(1)])
    assert infos(lanes)["fault"][1] == (
        "ProtocolError: the server's observation does not fit its own /schema: text: expected text of 0 to "
        "1048576 characters, got int 2 (lenient=True accepts missing and unknown fields)"
    )


def test_faults_that_are_raised_name_their_lane() -> None:
    lanes = make_lanes(truncate_on_fault=False)
    (error,) = step(lanes, [seen(4), Outcome({}), seen(6)])
    assert isinstance(error, ProtocolError)
    assert error.__notes__ == ["(lane 1 of 3)"]
    assert lanes.observations(EVERYONE)["count"].tolist() == [4, 2, 6]


def test_a_reset_that_misfits_is_raised_whatever_is_done_with_faults() -> None:
    lanes = make_lanes()
    (error,) = finish(lanes, lanes.reset_calls([1], [None], [None]), [Outcome({})])
    assert isinstance(error, ProtocolError)
    assert [request.op for _, request in lanes.step_calls(EVERYONE, ACTIONS)] == [Op.STEP, Op.RESET, Op.STEP]


def test_observations_in_any_order_and_as_often_as_asked_for() -> None:
    lanes = make_lanes()
    step(lanes, [seen(4), seen(5), seen(6)])
    first, again = lanes.observations(EVERYONE), lanes.observations(EVERYONE)
    assert first["count"].tolist() == again["count"].tolist() == [4, 5, 6]
    assert not np.shares_memory(first["count"], again["count"])
    assert lanes.observations([2, 0])["count"].tolist() == [6, 4]
    finish(lanes, lanes.step_calls([1], ACTIONS[:1]), [seen(7)])
    assert lanes.observations(EVERYONE)["count"].tolist() == [4, 7, 6]


def test_same_step_keeps_the_end_beside_the_next_episode() -> None:
    lanes = make_lanes(AutoresetMode.SAME_STEP)
    step(lanes, [seen(4, reward=1.0), seen(5, reward=2.0, done=True), SessionLostError("gone")])
    calls = lanes.autoreset_calls(EVERYONE)
    assert [(lane, request.op) for lane, request in calls] == [(1, Op.RESET), (2, Op.RESET)]
    assert lanes.autoreset_calls(EVERYONE) == [], "they are on their way"
    finish(lanes, calls, [seen(8), seen(9)])
    assert lanes.observations(EVERYONE)["count"].tolist() == [4, 8, 9]
    assert [ends.tolist() for ends in lanes.ends(EVERYONE)] == [
        [1.0, 2.0, 0.0],
        [False, True, False],
        [False, False, True],
    ]
    finals = lanes.take_finals(EVERYONE)
    assert [element and int(element["count"]) for element in finals["final_obs"]] == [None, 5, 3]
    assert finals["final_info"]["fault"].tolist() == [None, "", "SessionLostError: gone"]
    assert infos(lanes)["fault"].tolist() == ["", "", ""]
    assert lanes.take_finals(EVERYONE) == {}
    assert lanes.autoreset_calls(EVERYONE) == []
    assert [request.op for _, request in lanes.step_calls(EVERYONE, ACTIONS)] == [Op.STEP] * 3


def test_a_time_limit_counts_each_lanes_steps() -> None:
    lanes = make_lanes(max_episode_steps=2)
    step(lanes, [seen(1), seen(1, done=True), seen(1)])
    assert lanes.ends(EVERYONE)[2].tolist() == [False, False, False]
    step(lanes, [seen(2), seen(2), seen(2, done=True)])
    assert lanes.ends(EVERYONE)[1].tolist() == [False, False, True]
    assert lanes.ends(EVERYONE)[2].tolist() == [True, False, True]
    step(lanes, [seen(3), seen(3), seen(3)])
    assert lanes.ends(EVERYONE)[2].tolist() == [False, False, False]
    step(lanes, [seen(3), seen(3), seen(3)])
    assert lanes.ends(EVERYONE)[2].tolist() == [False, True, False]


def test_actions_of_lanes_that_reset_are_ignored() -> None:
    lanes = make_lanes()
    step(lanes, [seen(4), seen(5, done=True), seen(6)])
    calls = lanes.step_calls(EVERYONE, [{"text": "a"}, "no action at all", {"text": "c"}])
    assert [request.payload.get("text") for _, request in calls] == ["a", None, "c"]


def test_an_action_that_is_no_object_is_refused() -> None:
    interface = Interface({**SCHEMA, "action": {"anyOf": [SCHEMA["action"], {"type": "string"}]}})
    assert interface.step_requests([(0, {"text": "a"})]) == [interface.step_request((0, {"text": "a"}))]
    with pytest.raises(InvalidActionError, match="encodes to an object, not str"):
        interface.step_requests([(0, {"text": "a"}), (1, "text")])
    with pytest.raises(InvalidActionError, match="encodes to an object, not str"):
        interface.step_request((1, "text"))
