"""`openenv/Echo-v0` by its id alone: gymnasium's checker, one environment and many."""

from __future__ import annotations

import gymnasium
from gymnasium.utils.env_checker import check_env

import openenv_gym  # noqa: F401 - registers the ids
from openenv_gym import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from tests.dialects import every_encoding


@every_encoding
def test_check_env(dialect: Dialect) -> None:
    with gymnasium.make("openenv/Echo-v0", dialect=dialect) as env:
        check_env(env.unwrapped)


def test_time_limits_in_both_forms() -> None:
    with gymnasium.make("openenv/Echo-v0", max_episode_steps=2) as env:
        env.reset(seed=1)
        assert [env.step({"message": "hi"})[3] for _ in range(2)] == [False, True]
    envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=3, max_episode_steps=2)
    assert isinstance(envs, RemoteVectorEnv)
    with envs:
        envs.reset(seed=1)
        actions = [{"message": "hi"}] * 3
        assert [envs.step(actions)[3].tolist() for _ in range(3)] == [[False] * 3, [True] * 3, [False] * 3]
