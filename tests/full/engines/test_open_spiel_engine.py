"""``open_spiel:GAME`` beside OpenSpiel's own environment: same seeds, same moves, same game."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from open_spiel.python import rl_environment

from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.engines.app import create_engine_app, define_engine
from openenv_gym.errors import EnvError, UsageError
from tests.servers import LiveServer

SEEDS = (1, 5)


def rivals(name: str, seed: int, **parameters: Any) -> rl_environment.Environment:
    sampler = rl_environment.ChanceEventSampler(seed)
    return rl_environment.Environment(name, chance_event_sampler=sampler, **parameters)


def assert_sees(observation: Any, step: rl_environment.TimeStep, seat: int) -> None:
    np.testing.assert_array_equal(
        observation["observation"], np.array(step.observations["info_state"][seat], np.float32)
    )
    legal = np.flatnonzero(observation["action_mask"]).tolist()
    assert legal == step.observations["legal_actions"][seat]


@pytest.mark.parametrize(
    "name",
    ["blackjack", "chess", "connect_four", "kuhn_poker", "leduc_poker?players=3", "2048", "backgammon"],
)
def test_a_game_of_turns_is_openspiels(name: str, live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app(f"open_spiel:{name}"))
    short_name, _, query = name.partition("?")
    parameters = {"players": 3} if query else {}
    with GenericEnvClient(base_url=server.base_url, dialect="v1").sync() as client:
        for seed in SEEDS:
            theirs = rivals(short_name, seed, **parameters)
            step, result = theirs.reset(), client.reset(seed=seed)
            rng = random.Random(seed)
            for _ in range(30):
                shown = result.observation
                if step.last():
                    break
                seat = step.current_player()
                assert (shown["agent_selection"], shown["current_player"]) == (f"player_{seat}", seat)
                assert_sees(shown["observation"], step, seat)
                for agent, other in shown["other_observations"].items():
                    assert_sees(other, step, int(agent.removeprefix("player_")))
                action = rng.choice(step.observations["legal_actions"][seat])
                step, result = theirs.step([action]), client.step({"action": action})
                assert list(result.observation["rewards"].values()) == step.rewards
                assert result.reward == step.rewards[seat]
                assert result.done == step.last()
            assert not step.last() or result.observation["agent_selection"] is None


@pytest.mark.parametrize("name", ["matrix_rps", "goofspiel", "oshi_zumo"])
def test_a_game_of_joint_moves_is_openspiels(name: str, live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app(f"open_spiel:{name}"))
    with GenericEnvClient(base_url=server.base_url, dialect="v1").sync() as client:
        theirs = rivals(name, 4)
        step, result = theirs.reset(), client.reset(seed=4)
        rng = random.Random(4)
        while not step.last():
            for seat in range(2):
                assert_sees(result.observation["observations"][f"player_{seat}"], step, seat)
            moves = [rng.choice(legal) for legal in step.observations["legal_actions"]]
            step = theirs.step(moves)
            result = client.step({"player_0": moves[0], "player_1": moves[1]})
            assert list(result.observation["rewards"].values()) == step.rewards
        assert result.done
        assert result.observation["agents"] == []


def test_spaces_are_exact(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("open_spiel:connect_four"))
    with RemoteEnv(server.base_url) as env:
        assert env.action_space == Discrete(7)
        seen = Dict(
            action_mask=Box(0, 1, (7,), np.int8), observation=Box(-np.inf, np.inf, (126,), np.float32)
        )
        assert env.observation_space == Dict(current_player=Discrete(2), observation=seen)
        observation, _ = env.reset(seed=1)
        players = []
        terminated = False
        while not terminated:
            players.append(observation["current_player"])
            action = env.action_space.sample(observation["observation"]["action_mask"])
            observation, _, terminated, truncated, _ = env.step(action)
            assert observation in env.observation_space
            assert not truncated
        assert players[:4] == [0, 1, 0, 1]


def test_one_agent_alone_has_no_number(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("open_spiel:catch"))
    with RemoteEnv(server.base_url) as env:
        assert list(env.observation_space.spaces) == ["action_mask", "observation"]


def test_an_illegal_move_ends_the_game(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_engine_app("open_spiel:tic_tac_toe"))
    with GenericEnvClient(base_url=server.base_url).sync() as client:
        client.reset(seed=1)
        client.step({"action": 4})
        lost = client.step({"action": 4})
        assert (lost.done, lost.reward) == (True, -1.0)
        assert lost.observation["rewards"] == {"player_0": 0.0, "player_1": -1.0}
        assert lost.observation["infos"]["player_1"]["gymnasium_info"]["illegal_action"] == 4
        client.reset(seed=1)
        for bad in ({"action": 9}, {"action": "x"}, {}, {"move": 1}):
            with pytest.raises(EnvError):
                client.step(bad)
        assert not client.step({"action": 0}).done


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("open_spiel:conect_four", "did you mean connect_four"),
        ("open_spiel:zzz", "there are 2048"),
        ("open_spiel:mfg_garnet", "mean field game"),
        ("open_spiel:catch?depth=3", "Unknown parameter 'depth'"),
        ("open_spiel:misere", "Missing parameter game"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        define_engine(name)
