"""What `RemoteEnv` shows of a served Gymnasium environment is what the local one shows."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import AddRenderObservation, RenderCollection

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import (
    EnvironmentFailedError,
    InvalidActionError,
    NotResetError,
    NotSupportedError,
    UsageError,
)
from tests.dialects import every_encoding
from tests.engines.comparison import Servers, compare_env, compare_vector_envs, own
from tests.engines.zoo import SPACES


def newest(*packages: str) -> list[str]:
    """The ids that gymnasium itself registers of some packages, each in its newest version."""
    specs: dict[str, gymnasium.envs.registration.EnvSpec] = {}
    for spec in gymnasium.registry.values():
        if str(spec.entry_point).startswith(tuple(f"gymnasium.envs.{package}." for package in packages)):
            known = specs.setdefault(spec.name, spec)
            specs[spec.name] = max(known, spec, key=lambda one: one.version or 0)
    return sorted(spec.id for spec in specs.values())


BUILT_IN = newest("classic_control", "toy_text")
WITH_OPTIONS = ["FrozenLake-v1?map_name=8x8&is_slippery=false", "Blackjack-v1?sab=true", "Pendulum-v1?g=3.5"]
ZOO = [f"zoo/Sampler-v0?kind={kind}" for kind in SPACES]
TAXI = next(name for name in BUILT_IN if name.startswith("Taxi"))  # v3, or v4
BOXES = ["Box-float16", "Box-image", "Dict", "Tuple", "MultiBinary"]


def test_gymnasium_has_brought_its_environments() -> None:
    assert len(BUILT_IN + WITH_OPTIONS + ZOO) >= 20


@pytest.mark.parametrize("name", [*BUILT_IN, *WITH_OPTIONS])
def test_gymnasiums_own_are_the_same(servers: Servers, name: str, dialect: Dialect) -> None:
    compare_env(servers, name, dialect, steps=40)


@pytest.mark.parametrize("name", ZOO)
@every_encoding
def test_every_space_and_every_info_is_the_same(servers: Servers, name: str, dialect: Dialect) -> None:
    assert compare_env(servers, name, dialect, steps=30) >= 5


@pytest.mark.parametrize("name", ["CartPole-v1", TAXI, *(f"zoo/Sampler-v0?kind={kind}" for kind in BOXES)])
def test_vector_envs_are_the_same(servers: Servers, name: str, dialect: Dialect) -> None:
    compare_vector_envs(servers, name, dialect, steps=20)


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
def test_every_autoreset_is_the_same(servers: Servers, mode: AutoresetMode, dialect: Dialect) -> None:
    assert compare_vector_envs(servers, "CartPole-v1", dialect, steps=70, mode=mode) >= 3
    assert compare_vector_envs(servers, "zoo/Sampler-v0", dialect, steps=20, mode=mode) >= 6


def test_reset_options_reach_the_environment(servers: Servers, dialect: Dialect) -> None:
    compare_env(servers, "CartPole-v1", dialect, steps=2, low=-0.01, high=0.02)
    compare_env(servers, "zoo/Sampler-v0", dialect, steps=1, level=[1, 2], label="x")


def test_a_time_limit_truncates(servers: Servers, dialect: Dialect) -> None:
    env = RemoteEnv(servers["MountainCar-v0"], dialect=dialect)
    env.reset(seed=1)
    ends = [env.step(1)[2:4] for _ in range(200)]
    assert ends == [(False, False)] * 199 + [(False, True)]
    env.close()


def test_an_environment_may_leave_its_own_bounds(servers: Servers, dialect: Dialect) -> None:
    env = RemoteEnv(servers["zoo/Escapist-v0"], dialect=dialect)
    observation, info = env.reset(seed=1)
    np.testing.assert_array_equal(observation, np.array([7, np.nan], np.float32))
    assert own(info) == {"kept": 1}, "what cannot travel stays there"
    np.testing.assert_array_equal(env.step(0)[0], np.array([-1, np.inf], np.float32))
    with pytest.raises(InvalidActionError):
        env.step(2)
    with pytest.raises(EnvironmentFailedError, match="a wall"):
        env.step(1)
    env.step(0)
    env.close()


# --- rendering -----------------------------------------------------------------------------------------


def test_a_frame_comes_when_it_is_asked_for(servers: Servers) -> None:
    env = RemoteEnv(servers["zoo/Sampler-v0"], render_mode="rgb_array")
    assert env.metadata["render_modes"] == ["rgb_array"]
    assert env.metadata["render_fps"] == 7
    with pytest.raises(NotResetError):
        env.render()
    env.reset(seed=1)
    env.step(env.action_space.sample())
    frame = env.render()
    assert (frame.shape, frame.dtype, frame.flags.writeable) == ((4, 5, 3), np.uint8, True)
    assert (frame == 1).all()
    env.close()


@every_encoding
def test_frames_in_every_encoding(servers: Servers, dialect: Dialect) -> None:
    env = RemoteEnv(servers["zoo/Sampler-v0"], render_mode="rgb_array", dialect=dialect)
    env.reset(seed=1)
    if dialect == "openenv":
        with pytest.raises(NotSupportedError, match="render"):
            env.render()
    else:
        np.testing.assert_array_equal(env.render(), np.zeros((4, 5, 3), np.uint8))
    env.step(env.action_space.sample())
    env.close()


def test_text_instead_of_pixels(servers: Servers) -> None:
    env = RemoteEnv(servers["zoo/Sampler-v0?render_mode=ansi"], render_mode="ansi")
    env.reset(seed=1)
    assert env.render() == "step 0"
    env.close()


def test_a_mode_that_the_server_does_not_draw_is_refused_at_once(servers: Servers) -> None:
    with pytest.raises(UsageError, match="renders rgb_array"):
        RemoteEnv(servers["zoo/Sampler-v0"], render_mode="ansi")
    with pytest.raises(UsageError, match="renders rgb_array"):
        RemoteVectorEnv(servers["zoo/Sampler-v0"], render_mode="depth_array")
    env = RemoteEnv(servers["zoo/Sampler-v0"])
    assert env.render() is None
    env.close()
    with pytest.raises(UsageError, match="renders nothing"):
        RemoteEnv(servers["zoo/Escapist-v0"], render_mode="rgb_array")


def test_gymnasiums_wrappers_get_their_frames(servers: Servers) -> None:
    env = RenderCollection(RemoteEnv(servers["zoo/Sampler-v0?kind=Box-image"], render_mode="rgb_array"))
    env.reset(seed=1)
    env.step(env.action_space.sample())
    assert [int(frame.max()) for frame in env.render()] == [0, 1]
    env.close()
    env = AddRenderObservation(RemoteEnv(servers["zoo/Sampler-v0?kind=Box-image"], render_mode="rgb_array"))
    assert env.observation_space.shape == (4, 5, 3)
    assert env.observation_space.contains(env.reset(seed=1)[0])
    env.close()
    env = gymnasium.make(
        "openenv/Remote-v0", base_url=servers["zoo/Sampler-v0?kind=Box-image"], render_mode="rgb_array_list"
    )
    env.reset(seed=1)
    assert len(env.render()) == 1
    env.close()


def test_every_lane_is_drawn(servers: Servers) -> None:
    envs = gymnasium.make_vec(
        "openenv/Remote-v0", num_envs=3, base_url=servers["zoo/Sampler-v0"], render_mode="rgb_array"
    )
    envs.reset(seed=1)
    envs.step(envs.action_space.sample())
    frames = envs.render()
    assert [int(frame.max()) for frame in frames] == [1, 1, 1]
    assert frames[0].dtype == np.uint8
    envs.close()
