from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.models import Action, Observation, State
from openenv_gym.server.environment import Environment, Transform


class Plain(Environment[Action, Observation, State]):
    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> Observation:
        return Observation(metadata={"seed": seed, **kwargs})

    def step(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> Observation:
        return Observation(metadata={"timeout_s": timeout_s})

    @property
    def state(self) -> State:
        return State()


class Described(Plain):
    """Counts to three."""


class Rewarding(Transform[Observation]):
    def __call__(self, observation: Observation) -> Observation:
        return observation.model_copy(update={"reward": 1.0})


class Rubric:
    def __init__(self) -> None:
        self.resets: list[str] = []

    def __call__(self, action: Any, observation: Any) -> float:
        return 0.75

    def reset(self) -> None:
        self.resets.append("sync")


class AsyncRubric(Rubric):
    async def __call__(self, action: Any, observation: Any) -> float:  # type: ignore[override]
        return 0.25

    async def reset_async(self) -> None:
        self.resets.append("async")


async def test_the_async_methods_default_to_the_sync_ones() -> None:
    env = Plain()
    assert (await env.reset_async(3, "e", level=2)).metadata == {"seed": 3, "level": 2}
    assert (await env.step_async(Action(), 1.5)).metadata == {"timeout_s": 1.5}


def test_metadata_comes_from_the_class() -> None:
    assert Plain().get_metadata().description == "Plain environment"
    assert Described().get_metadata().description == "Counts to three."


def test_transform() -> None:
    assert Plain()._apply_transform(Observation()).reward is None
    assert Plain(transform=Rewarding())._apply_transform(Observation()).reward == 1.0


async def test_rubric() -> None:
    rubric, async_rubric = Rubric(), AsyncRubric()
    plain, scored, scored_async = Plain(), Plain(rubric=rubric), Plain(rubric=async_rubric)  # type: ignore[arg-type]
    arguments = (Action(), Observation())
    assert plain._apply_rubric(*arguments) == 0.0
    assert scored._apply_rubric(*arguments) == 0.75
    assert [await env._apply_rubric_async(*arguments) for env in (plain, scored, scored_async)] == [
        0,
        0.75,
        0.25,
    ]
    with pytest.raises(TypeError, match="await _apply_rubric_async"):
        scored_async._apply_rubric(*arguments)
    for env in (plain, scored, scored_async):
        env._reset_rubric()
        await env._reset_rubric_async()
    assert (rubric.resets, async_rubric.resets) == (["sync", "sync"], ["sync", "async"])


def test_the_page_gets_nothing_by_default() -> None:
    assert Plain().render_web({}) is None
    assert Plain().web_actions({}) == []
    Plain().close()
