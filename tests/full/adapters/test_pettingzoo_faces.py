"""Remote games with PettingZoo's interfaces: its own tests, and the local environments side by side."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import data_equivalence

from openenv_gym.adapters.remote_aec_env import RemoteAECEnv
from openenv_gym.adapters.remote_parallel_env import RemoteParallelEnv
from openenv_gym.engines.app import create_engine_app
from openenv_gym.errors import ClosedError, InvalidActionError, UsageError
from tests.full.adapters import uneven_game
from tests.servers import LiveServer

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # it imports a game the older way
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

Face = Callable[..., Any]


@pytest.fixture
def face(live_server: Callable[..., LiveServer]) -> Iterator[Face]:
    """``face(RemoteAECEnv, "pettingzoo:connect_four_v3")`` is that game, served and given that face."""
    made: list[Any] = []

    def make(kind: Any, name: str, **options: Any) -> Any:
        server = live_server(create_engine_app(name))
        made.append(kind(server.base_url, **options))
        return made[-1]

    yield make
    for env in made:
        env.close()


AEC = [
    "pettingzoo:connect_four_v3",
    "pettingzoo:leduc_holdem_v4",
    "open_spiel:tic_tac_toe",
    "open_spiel:liars_dice",
]
PARALLEL = ["pettingzoo:rps_v2", "open_spiel:goofspiel"]


@pytest.mark.parametrize("name", AEC)
def test_pettingzoos_own_test_passes_in_turns(name: str, face: Face) -> None:
    env = face(RemoteAECEnv, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it has opinions on the games' spaces
        api_test(env, num_cycles=30)


@pytest.mark.parametrize("name", PARALLEL)
def test_pettingzoos_own_test_passes_all_at_once(name: str, face: Face) -> None:
    parallel_api_test(face(RemoteParallelEnv, name), num_cycles=30)


def test_equal_seeds_give_equal_games(live_server: Callable[..., LiveServer]) -> None:
    turns = live_server(create_engine_app("open_spiel:leduc_poker"))
    seed_test(lambda: RemoteAECEnv(turns.base_url), num_cycles=5)
    joint = live_server(create_engine_app("open_spiel:goofspiel"))
    parallel_seed_test(lambda: RemoteParallelEnv(joint.base_url), num_cycles=5)


@pytest.mark.parametrize("name", ["connect_four_v3", "texas_holdem_v4", "rps_v2", "tictactoe_v3"])
def test_in_turns_it_is_the_local_environment(name: str, face: Face) -> None:
    local, remote = (
        pettingzoo.make("aec", f"classic/{name}"),
        face(RemoteAECEnv, f"pettingzoo:{name}?api=aec"),
    )
    assert remote.possible_agents == local.possible_agents
    for agent in local.possible_agents:
        assert remote.observation_space(agent) == local.observation_space(agent)
        assert remote.action_space(agent) == local.action_space(agent)
        local.action_space(agent).seed(1)
    for seed in (1, 2):
        local.reset(seed=seed)
        remote.reset(seed=seed)
        for agent in local.agent_iter(max_iter=80):
            assert remote.agent_selection == agent
            here, there = local.last(), remote.last()
            assert data_equivalence(as_seen(here[0]), as_seen(there[0]), exact=True)
            assert there[1:] == here[1:]
            assert (remote.agents, remote.rewards) == (local.agents, local.rewards)
            observation, _, terminated, truncated, _ = here
            mask = observation["action_mask"] if isinstance(observation, dict) else None
            action = None if terminated or truncated else local.action_space(agent).sample(mask)
            local.step(action)
            remote.step(action)
        assert remote.agents == local.agents
    local.close()


def test_all_at_once_it_is_the_local_environment(face: Face) -> None:
    local, remote = (
        pettingzoo.make("parallel", "classic/rps_v2"),
        face(RemoteParallelEnv, "pettingzoo:rps_v2"),
    )
    here, there = local.reset(seed=1), remote.reset(seed=1)
    rng = np.random.default_rng(1)
    while local.agents:
        assert remote.agents == local.agents
        assert {agent: int(seen) for agent, seen in here[0].items()} == there[0]
        assert there[1:] == here[1:]
        actions = {agent: int(rng.integers(3)) for agent in local.agents}
        here, there = local.step(actions), remote.step(actions)
    assert (remote.agents, there[1:]) == ([], here[1:])
    local.close()


def uneven(seed: int, env: Any) -> dict[str, Any]:
    """An action for each living agent, by its own space."""
    rng = np.random.default_rng(seed)
    actions = {"ant": int(rng.integers(3)), "bee": rng.uniform(-1, 1, 2).astype(np.float32), "cat": 2}
    return {agent: actions[agent] for agent in env.agents}


def test_unlike_agents_leave_one_by_one_all_at_once(face: Face) -> None:
    local, remote = uneven_game.parallel_env(), face(RemoteParallelEnv, f"pettingzoo:{uneven_game.__name__}")
    parallel_api_test(remote, num_cycles=8)
    here, there = local.reset(seed=1), remote.reset(seed=1)
    for turn in range(5):
        assert remote.agents == local.agents
        assert all(data_equivalence(ours, theirs) for ours, theirs in zip(there, here, strict=True))
        actions = uneven(turn, local)
        here, there = local.step(actions), remote.step(actions)
    assert remote.agents == local.agents == []
    assert there[3] == {"cat": True}


def test_unlike_agents_leave_one_by_one_in_turns(face: Face) -> None:
    local = uneven_game.env()
    remote = face(RemoteAECEnv, f"pettingzoo:{uneven_game.__name__}?api=aec")
    local.reset(seed=1)
    remote.reset(seed=1)
    for turn, agent in enumerate(local.agent_iter()):
        assert remote.agent_selection == agent
        assert set(remote.agents) == set(local.agents)  # its order is that of a set there
        here, there = local.last(), remote.last()
        assert data_equivalence(there[0], here[0])
        assert there[1:] == here[1:]
        action = None if here[2] or here[3] else uneven(turn, local)[agent]
        local.step(action)
        remote.step(action)
    assert remote.agents == []


def test_it_draws_what_the_server_draws(face: Face) -> None:
    env = face(RemoteAECEnv, "pettingzoo:connect_four_v3", render_mode="rgb_array")
    env.reset(seed=1)
    before = env.render()
    env.step(3)
    assert before.shape == env.render().shape
    assert not np.array_equal(before, env.render())


def test_a_wrong_action_and_a_closed_game_say_so(face: Face) -> None:
    env = face(RemoteAECEnv, "open_spiel:tic_tac_toe")
    env.reset(seed=1)
    with pytest.raises(InvalidActionError):
        env.step(9)
    with pytest.raises(InvalidActionError):
        env.step(None)
    env.step(4)
    assert env.agent_selection == "player_1"
    env.close()
    with pytest.raises(ClosedError):
        env.step(0)


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (RemoteParallelEnv, "pettingzoo:tictactoe_v3", "use RemoteAECEnv"),
        (RemoteAECEnv, "pettingzoo:rps_v2", r"use RemoteParallelEnv, or have it served with \?api=aec"),
        (RemoteAECEnv, "gymnasium:CartPole-v1", "knows no agents: use RemoteEnv"),
    ],
)
def test_the_wrong_face_names_the_right_one(kind: Any, name: str, said: str, face: Face) -> None:
    with pytest.raises(UsageError, match=said):
        face(kind, name)


def as_seen(observation: Any) -> Any:
    """PettingZoo gives the number of a Discrete as an array without dimensions."""
    is_number = isinstance(observation, np.ndarray) and observation.ndim == 0
    return np.int64(observation) if is_number else observation
