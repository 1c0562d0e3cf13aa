"""Our client, RemoteEnv and RemoteVectorEnv against OpenEnv's server (and ours), from `/schema` alone."""

from __future__ import annotations

import json

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from openenv_gym import EnvClient, GenericEnvClient, RemoteEnv, RemoteVectorEnv
from openenv_gym.errors import EnvironmentFailedError, InvalidActionError, SessionLostError
from openenv_gym.spaces import ToolCalls
from tests.interop.conftest import Host
from tests.interop.upstream_counter import CountAction, CountObservation, CountState
from tests.proxy import Proxy
from tests.servers import LiveServer


class CounterClient(EnvClient[CountAction, CountObservation, CountState]):
    """Our typed client over OpenEnv's models: no parsing to write."""


async def test_typed_client(host: Host) -> None:
    async with CounterClient(base_url=host.base_url, dialect=host.dialect) as client:
        result = await client.reset(seed=1, goal=3)
        assert isinstance(result.observation, CountObservation)
        result = await client.step(CountAction(amount=3, note="日本語"))
        assert (result.observation.note, result.done, result.reward) == ("日本語", True, 1.0)
        state = await client.state()
        assert isinstance(state, CountState)
        assert state.goal == 3


def test_generic_sync_client(host: Host) -> None:
    with GenericEnvClient(base_url=host.base_url, dialect=host.dialect).sync() as client:
        client.reset(seed=1)
        with pytest.raises(InvalidActionError, match="amount"):
            client.step({"amount": "many"})
        with pytest.raises(EnvironmentFailedError, match="below zero"):
            client.step({"how": "take", "amount": 1})
        client.reset(seed=1)
        assert client.step({"amount": 4}).observation["total"] == 4


def test_never_a_silent_step_on_a_fresh_environment(any_server: LiveServer) -> None:
    with (
        Proxy(any_server.base_url) as proxy,
        GenericEnvClient(base_url=proxy.base_url, dialect="openenv").sync() as client,
    ):
        client.reset(seed=1)
        client.step({"amount": 4})
        proxy.cut()
        for _ in range(2):
            with pytest.raises(SessionLostError):
                client.step({"amount": 1})
        client.reset(seed=1)
        assert client.step({"amount": 1}).observation["total"] == 1


def test_spaces_from_the_schema_alone(any_server: LiveServer) -> None:
    with RemoteEnv(any_server.base_url) as env:
        assert isinstance(env.action_space, gymnasium.spaces.Dict)
        assert set(env.action_space) == {"how", "amount", "note"}
        assert isinstance(env.observation_space, gymnasium.spaces.Dict)
        assert set(env.observation_space) == {"total", "noise", "note", "history", "hint"}


def test_both_servers_give_the_same_spaces_and_episodes(
    our_server: LiveServer, upstream_server: LiveServer
) -> None:
    with RemoteEnv(our_server.base_url) as ours, RemoteEnv(upstream_server.base_url) as theirs:
        assert ours.action_space == theirs.action_space
        assert ours.observation_space == theirs.observation_space
        assert data_equivalence(ours.reset(seed=2), theirs.reset(seed=2))
        ours.action_space.seed(1)
        for _ in range(5):
            action = {**ours.action_space.sample(), "how": 0, "amount": 0}
            assert data_equivalence(ours.step(action), theirs.step(action))


@pytest.mark.filterwarnings("ignore:.*A Box observation space (minimum|maximum) value is:UserWarning")
def test_check_env(host: Host) -> None:
    with gymnasium.make("openenv/Remote-v0", base_url=host.base_url, dialect=host.dialect) as env:
        # Only additions: a sampled "take" may make this environment raise, by its author's will.
        env.action_space["how"] = gymnasium.spaces.Discrete(1)
        check_env(env.unwrapped)


def test_vector_env(host: Host) -> None:
    envs = gymnasium.make_vec("openenv/Remote-v0", num_envs=4, base_url=host.base_url, dialect=host.dialect)
    assert isinstance(envs, RemoteVectorEnv)
    with envs:
        obs, _ = envs.reset(seed=1, options={"goal": 4})
        assert obs["total"].tolist() == [0, 0, 0, 0]
        actions = [CountAction(amount=index) for index in range(4)]
        obs, _, terminations, _, _ = envs.step(actions)
        assert obs["total"].tolist() == [0, 1, 2, 3]
        assert not terminations.any()
        obs, rewards, terminations, _, infos = envs.step(actions)
        assert terminations.tolist() == [False, False, True, True]
        assert rewards.tolist() == [0.0, 0.0, 1.0, 1.0]
        assert infos["reward_given"].tolist() == [False, False, True, True]
        obs, *_ = envs.step(actions)
        assert obs["total"].tolist() == [0, 3, 0, 0]


def test_a_tool_environment_from_its_schema_alone(upstream_tools: LiveServer) -> None:
    """OpenEnv's tool environments answer a reset with an observation that they publish no schema of."""
    with RemoteEnv(upstream_tools.base_url) as env:
        assert isinstance(env.action_space, ToolCalls)
        assert env.action_space.tools == ("say",)
        observation, _ = env.reset(seed=1)
        assert env.observation_space.contains(observation)
        observation, *_ = env.step((0, {"message": "hé"}))
        assert env.observation_space.contains(observation)
        assert json.loads(observation["result"])["data"] == "hé"


def test_tools_are_called_by_their_actions(upstream_tools: LiveServer) -> None:
    with GenericEnvClient(base_url=upstream_tools.base_url).sync() as client:
        listed = client.step({"type": "list_tools"})  # OpenEnv's clients list tools before any reset
        assert [tool["name"] for tool in listed.observation["tools"]] == ["say"]
        client.reset()
        said = client.step({"type": "call_tool", "tool_name": "say", "arguments": {"message": "hé"}})
        assert said.observation["result"]["data"] == "hé"
