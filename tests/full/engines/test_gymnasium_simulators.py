"""Served simulators - Atari, Box2D, MuJoCo - beside local ones, and the pictures that pygame draws."""

from __future__ import annotations

from typing import Any

import ale_py  # noqa: F401 - registers its environments
import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from tests.engines.comparison import Servers, compare_env, compare_vector_envs, make_local

SIMULATORS = [
    "ALE/Breakout-v5?frameskip=4&repeat_action_probability=0.25",
    "ALE/Pong-v5",
    "ALE/Pong-v5?obs_type=ram",
    "ale_py:PongNoFrameskip-v4",
    "Ant-v5",
    "BipedalWalker-v3",
    "CarRacing-v3?continuous=false",
    "HalfCheetah-v5",
    "Hopper-v5?exclude_current_positions_from_observation=false",
    "Humanoid-v5",
    "LunarLander-v3",
    "LunarLanderContinuous-v3",
    "Reacher-v5",
]


@pytest.mark.parametrize("name", SIMULATORS)
def test_simulators_are_the_same(servers: Servers, name: str) -> None:
    compare_env(servers, name, "v1", steps=25)


def test_a_server_finds_atari_by_itself() -> None:
    env = gymnasium.make("openenv/Remote-v0", server="gymnasium:ALE/Pong-v5?obs_type=ram")
    assert env.reset(seed=1)[0].shape == (128,)
    env.close()


@pytest.mark.parametrize("name", ["ALE/Pong-v5?obs_type=grayscale", "LunarLander-v3", "Ant-v5"])
def test_so_they_are_in_openenvs_dialect(servers: Servers, name: str) -> None:
    compare_env(servers, name, "openenv", steps=8)


@pytest.mark.parametrize("dialect", ["v1", "openenv"])
def test_their_vector_envs_are_the_same(servers: Servers, dialect: Dialect) -> None:
    compare_vector_envs(servers, "HalfCheetah-v5", dialect, steps=15)
    assert compare_vector_envs(servers, "LunarLander-v3", dialect, 130, AutoresetMode.SAME_STEP) >= 3


@pytest.mark.parametrize("name", ["ALE/Pong-v5", "CartPole-v1", "FrozenLake-v1", "LunarLander-v3"])
def test_frames_are_the_same(servers: Servers, name: str) -> None:
    local = make_local(name, render_mode="rgb_array")
    env = RemoteEnv(servers[name], render_mode="rgb_array")
    action: Any = 1
    for one in (env, local):
        one.reset(seed=4)
        one.step(action)
    frame = env.render()
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, local.render())
    assert env.metadata["render_fps"] == local.metadata["render_fps"]
    env.close()
    local.close()


def test_every_lane_is_drawn(servers: Servers) -> None:
    envs = RemoteVectorEnv(servers["CartPole-v1"], num_envs=3, render_mode="rgb_array")
    envs.reset(seed=1)
    frames = envs.render()
    assert frames is not None
    assert [frame.shape for frame in frames] == [(400, 600, 3)] * 3
    envs.close()


def test_human_rendering_is_a_window_here(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with pytest.warns(UserWarning, match="HumanRendering"):
        env = gymnasium.make("openenv/Remote-v0", base_url=servers["CartPole-v1"], render_mode="human")
    env.reset(seed=1)
    env.step(0)
    env.close()
