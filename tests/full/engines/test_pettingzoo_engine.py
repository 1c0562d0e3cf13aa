"""``pettingzoo:NAME`` beside the local environment: same seeds, same actions, same game."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pettingzoo
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils.env_checker import data_equivalence

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.engines.app import create_engine_app, define_engine
from openenv_gym.errors import EnvError, UsageError
from openenv_gym.server.definition import Execution
from openenv_gym.spaces import codec_for, hint_for
from tests.servers import LiveServer


def local(name: str, api: str) -> Any:
    """The same environment without a server, its spaces seeded."""
    env = pettingzoo.make(api, name)
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(number)
    return env


def assert_equal(env: Any, agent: str, sent: Any, element: Any) -> None:
    """What was sent, read by the agent's own space, is what it sees here."""
    space = env.observation_space(agent)
    received = codec_for({"gymnasium_space": hint_for(space)}).decode(sent)
    element = space.dtype.type(element) if isinstance(space, Discrete) else element
    assert data_equivalence(received, element, exact=True)


def sample(env: Any, agent: str, observation: Any) -> int:
    mask = observation["action_mask"] if isinstance(observation, dict) else None
    return int(env.action_space(agent).sample(mask))


@pytest.mark.parametrize(
    "name", ["connect_four_v3", "tictactoe_v3", "leduc_holdem_v4", "texas_holdem_v4", "rps_v2", "go_v5"]
)
def test_turns_are_those_of_the_local_environment(name: str, live_server: Callable[..., LiveServer]) -> None:
    env = local(f"classic/{name}", "aec")
    server = live_server(create_engine_app(f"pettingzoo:{name}?api=aec"))
    with GenericEnvClient(base_url=server.base_url, dialect="v1").sync() as client:
        for seed in (3, 4):
            env.reset(seed=seed)
            result = client.reset(seed=seed)
            leaving: list[str] = []
            for agent in env.agent_iter(max_iter=40):
                observation, reward, terminated, truncated, _ = env.last()
                shown = result.observation
                if terminated or truncated:
                    leaving.append(agent)
                    seen = shown["other_observations"].get(agent, shown["observation"])
                else:
                    assert shown["agent_selection"] == agent
                    seen = shown["observation"]
                assert_equal(env, agent, seen, observation)
                assert shown["cumulative_rewards"][agent] == reward
                assert shown["terminations"][agent] == terminated
                assert shown["truncations"][agent] == truncated
                if terminated or truncated:
                    env.step(None)
                    continue
                action = sample(env, agent, observation)
                env.step(action)
                result = client.step({"action": action})
                assert result.observation["rewards"] == dict(env.rewards)
                assert result.reward == env.rewards[agent]
            assert result.done == (not env.agents)
            assert result.observation["removed"] == leaving
    env.close()


@pytest.mark.parametrize("seed", [3, 4])
def test_joint_moves_are_those_of_the_local_environment(
    seed: int, live_server: Callable[..., LiveServer]
) -> None:
    env = local("classic/rps_v2", "parallel")
    server = live_server(create_engine_app("pettingzoo:rps_v2"))
    with GenericEnvClient(base_url=server.base_url, dialect="v1").sync() as client:
        observations, _ = env.reset(seed=seed)
        result = client.reset(seed=seed)
        while env.agents:
            for agent, element in observations.items():
                assert_equal(env, agent, result.observation["observations"][agent], element)
            actions = {agent: sample(env, agent, None) for agent in env.agents}
            observations, rewards, terminations, truncations, _ = env.step(actions)
            result = client.step(actions)
            told = result.observation
            assert (told["rewards"], told["terminations"], told["truncations"]) == (
                rewards,
                terminations,
                truncations,
            )
        assert (result.done, result.truncated, told["agents"]) == (True, True, [])


def test_spaces_are_exact_whoever_is_to_act(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("pettingzoo:classic/connect_four_v3"))
    env = local("classic/connect_four_v3", "aec")
    with RemoteEnv(server.base_url, render_mode="rgb_array") as remote:
        assert remote.action_space == Discrete(7)
        own = env.observation_space("player_0")
        assert remote.observation_space == Dict(current_player=Discrete(2), observation=own)
        observation, _ = remote.reset(seed=1)
        assert observation["current_player"] == 0
        observation, *_ = remote.step(3)
        assert observation["current_player"] == 1
        assert observation in remote.observation_space
        frame = remote.render()
        assert frame.ndim == 3
        assert frame in Box(0, 255, frame.shape, frame.dtype.type)


def test_bad_actions_change_nothing(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("pettingzoo:tictactoe_v3"))
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        client.reset(seed=1)
        for bad in ({"action": 9}, {"action": None}, {}, {"action": 1, "agent": "player_1"}):
            with pytest.raises(EnvError):
                client.step(bad)
        assert client.step({"action": 4}).observation["agent_selection"] == "player_2"
        lost = client.step({"action": 4})  # an illegal move, which PettingZoo itself punishes
        assert (lost.done, lost.reward) == (True, -1.0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pettingzoo:connect_for_v3", "did you mean connect_four_v3"),
        ("pettingzoo:connect_four_v3?api=parallel", "has no api 'parallel'; it has: aec"),
        ("pettingzoo:connect_four_v3?colour=red", "cannot be made"),
        ("pettingzoo:os", r"has no env\(\)"),
        ("pettingzoo:no.such.module", "PettingZoo's are atari"),
        ("pettingzoo:pistonball_v6", r"pip install 'pettingzoo\[butterfly\]'"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        define_engine(name)


def test_what_draws_runs_in_processes() -> None:
    assert define_engine("pettingzoo:knights_archers_zombies_v11").execution is Execution.PROCESS
    assert define_engine("pettingzoo:rps_v2").execution is Execution.THREAD
