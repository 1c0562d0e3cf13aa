"""RemoteEnv against a real server: gymnasium's contract, faults, and its life cycle."""

from __future__ import annotations

import json
from collections.abc import Iterator

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

import openenv_gym
from openenv_gym import RemoteEnv, RemoteVectorEnv
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import (
    ClosedError,
    EnvironmentFailedError,
    InvalidActionError,
    NotResetError,
    ServerUnreachableError,
    SessionLostError,
    UsageError,
)
from tests.adapters.corridor import CorridorAction
from tests.dialects import every_encoding
from tests.proxy import Proxy
from tests.servers import LiveServer


@pytest.fixture
def env(corridor: LiveServer, dialect: Dialect) -> Iterator[RemoteEnv]:
    with RemoteEnv(corridor.base_url, dialect=dialect) as env:
        yield env


@pytest.mark.filterwarnings("ignore:.*A Box observation space (minimum|maximum) value is:UserWarning")
@every_encoding
def test_check_env_passes(corridor: LiveServer, dialect: Dialect) -> None:
    with gymnasium.make("openenv/Remote-v0", base_url=corridor.base_url, dialect=dialect) as env:
        check_env(env.unwrapped)


def test_time_limit_wraps_the_registered_env(corridor: LiveServer) -> None:
    with gymnasium.make("openenv/Remote-v0", base_url=corridor.base_url, max_episode_steps=2) as env:
        env.reset(seed=12, options={"length": 100})
        flags = [env.step({"direction": 2, "speed": 0, "shout": ""})[2:4] for _ in range(2)]
        assert flags[-1] == (False, True)


@every_encoding
def test_an_action_is_a_space_value_or_a_model(env: RemoteEnv) -> None:
    env.reset(seed=1)
    by_model = env.step(CorridorAction(direction="right", speed=2, shout="hé"))
    env.reset(seed=1)
    table = {"left": 0, "right": 1, "stay": 2}
    by_value = env.step({"direction": table["right"], "speed": 1, "shout": "hé"})
    assert data_equivalence(by_model[0], by_value[0])
    assert by_model[1:] == by_value[1:]
    assert by_model[0]["echoes"] == ("éh",)


def test_info_has_fixed_keys_and_types(env: RemoteEnv) -> None:
    infos = [env.reset(seed=3, options={"length": 50})[1]]
    infos += [env.step(env.action_space.sample())[4] for _ in range(10)]
    for info in infos:
        assert {key: type(value) for key, value in info.items()} == {
            "metadata": str,
            "reward_given": bool,
            "fault": str,
        }
        assert json.loads(info["metadata"])["length"] == 50
    assert {info["reward_given"] for info in infos[1:]} == {True, False}


def test_missing_reward_is_zero_and_marked(env: RemoteEnv) -> None:
    env.reset(seed=3, options={"length": 50})
    steps = [env.step({"direction": 2, "speed": 0, "shout": ""}) for _ in range(5)]
    assert all(reward == 0.0 for _, reward, _, _, info in steps if not info["reward_given"])


def test_state(env: RemoteEnv) -> None:
    env.reset(seed=1, options={"length": 9})
    assert env.state()["length"] == 9


def test_unseeded_resets_repeat_after_a_seeded_one(env: RemoteEnv) -> None:
    def walk() -> list[object]:
        first, _ = env.reset(seed=5)
        return [first, *(env.reset()[0] for _ in range(3))]

    assert data_equivalence(walk(), walk())


def test_bad_actions_are_refused_and_the_episode_goes_on(env: RemoteEnv) -> None:
    env.reset(seed=1)
    with pytest.raises(InvalidActionError, match="speed"):
        env.step({"direction": 1, "speed": 99, "shout": ""})
    with pytest.raises(InvalidActionError, match="direction"):
        env.step({"speed": 1, "shout": ""})
    env.step(env.action_space.sample())


def test_unknown_reset_option_is_named(env: RemoteEnv) -> None:
    with pytest.raises((InvalidActionError, EnvironmentFailedError), match="colour"):
        env.reset(options={"colour": "red"})
    env.reset(seed=1)


def test_step_before_reset(env: RemoteEnv) -> None:
    with pytest.raises(NotResetError, match="reset"):
        env.step(env.action_space.sample())


def test_step_after_the_end(env: RemoteEnv) -> None:
    env.reset(seed=1, options={"length": 1})
    for _ in range(50):
        *_, terminated, truncated, _ = env.step({"direction": 1, "speed": 2, "shout": ""})
        if terminated or truncated:
            break
    with pytest.raises(NotResetError, match="over"):
        env.step(env.action_space.sample())


def test_an_environment_that_raises(env: RemoteEnv) -> None:
    env.reset(seed=1)
    with pytest.raises(EnvironmentFailedError, match="RuntimeError: the corridor exploded"):
        env.step(CorridorAction(direction="stay", shout="explode"))


def test_truncating_an_environment_that_raises(corridor: LiveServer, dialect: Dialect) -> None:
    with RemoteEnv(corridor.base_url, dialect=dialect, on_fault="truncate") as env:
        first, _ = env.reset(seed=1)
        observation, reward, terminated, truncated, info = env.step(
            CorridorAction(direction="stay", shout="explode")
        )
        assert data_equivalence(observation, first)
        assert (reward, terminated, truncated) == (0.0, False, True)
        assert "exploded" in info["fault"]
        assert info["reward_given"] is False


def test_a_cut_connection_is_mended_in_v1(corridor: LiveServer) -> None:
    with Proxy(corridor.base_url) as proxy, RemoteEnv(proxy.base_url, dialect="v1") as env:
        env.reset(seed=2, options={"length": 90})
        for steps in range(1, 4):
            env.step({"direction": 2, "speed": 0, "shout": ""})
            assert env.state()["step_count"] == steps
            proxy.cut()


def test_a_cut_connection_loses_the_episode_loudly_in_openenv_s_dialect(corridor: LiveServer) -> None:
    with Proxy(corridor.base_url) as proxy, RemoteEnv(proxy.base_url, dialect="openenv") as env:
        env.reset(seed=1)
        proxy.cut()
        for _ in range(2):  # not once only: never a silent step on a fresh environment
            with pytest.raises(SessionLostError):
                env.step(env.action_space.sample())
        env.reset(seed=1)
        env.step(env.action_space.sample())


def test_a_stalled_connection_times_out(corridor: LiveServer, dialect: Dialect) -> None:
    options = {"step_timeout": 0.2, "dialect": "openenv"}
    with Proxy(corridor.base_url) as proxy, RemoteEnv(proxy.base_url, **options) as env:
        env.reset(seed=1)
        proxy.stall()
        with pytest.raises(TimeoutError):
            env.step(env.action_space.sample())


def test_nothing_listens() -> None:
    with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:9"):
        RemoteEnv("http://127.0.0.1:9", reset_timeout=1.0)


def test_no_server_named() -> None:
    with pytest.raises(UsageError, match="base_url="):
        gymnasium.make("openenv/Remote-v0")


def test_close_twice_and_use_after_close(corridor: LiveServer) -> None:
    env = RemoteEnv(corridor.base_url)
    env.reset(seed=1)
    env.close()
    env.close()
    with pytest.raises(ClosedError):
        env.reset()


def test_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert openenv_gym.__version__ == version("openenv-gym")


def test_options_of_every_reset_are_overridden_by_those_of_one(corridor: LiveServer) -> None:
    def length(info: dict[str, str]) -> int:
        return int(json.loads(info["metadata"])["length"])

    id_and_url = {"id": "openenv/Remote-v0", "base_url": corridor.base_url}
    with gymnasium.make(**id_and_url, reset_options={"length": 9}) as env:
        assert length(env.reset(seed=1)[1]) == 9
        assert length(env.reset(options={"length": 3})[1]) == 3
        assert length(env.reset()[1]) == 9
    with RemoteVectorEnv(corridor.base_url, num_envs=3, reset_options={"length": 2}) as envs:
        _, infos = envs.reset(seed=1, options={"lanes": {1: {"length": 4}}})
        assert [json.loads(text)["length"] for text in infos["metadata"]] == [2, 4, 2]
        lengths = set()
        for _ in range(20):  # ends every episode, and autoresets follow
            infos = envs.step([CorridorAction(direction="right", speed=3)] * 3)[-1]
            lengths.add(json.loads(infos["metadata"][1])["length"])
        assert lengths == {2, 4}
