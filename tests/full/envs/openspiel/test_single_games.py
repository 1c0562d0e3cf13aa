"""Servers of single games: exact numeric spaces for Gymnasium, upstream's fields for typed clients."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env

import openenv_gym  # noqa: F401 - registers the ids
from openenv_gym import RemoteEnv, RemoteVectorEnv
from openenv_gym.errors import UsageError
from openenv_gym.registry.environments import BUILT_IN, EnvironmentEntry
from openenv_gym.server.serve import load_app
from openspiel_env import OpenSpielAction, OpenSpielEnv
from openspiel_env.server.settings import Settings
from openspiel_env.server.single_game import create_game_app
from tests.servers import LiveServer

SINGLE = [
    entry for entry in BUILT_IN if entry.server and entry.server.startswith("openspiel_env.server.games")
]
SIZES = {
    "2048": (16, 4),
    "Blackjack": (189, 2),
    "Catch": (50, 3),
    "CliffWalking": (400, 4),
    "KuhnPoker": (11, 2),
    "TicTacToe": (27, 9),
}


@pytest.mark.parametrize("entry", SINGLE, ids=lambda entry: entry.name)
def test_spaces_are_exact_and_every_sample_is_playable(
    entry: EnvironmentEntry, live_server: Callable[..., LiveServer]
) -> None:
    assert entry.server is not None
    server = live_server(load_app(entry.server))
    with RemoteEnv(server.base_url) as env:
        tensor, actions = SIZES[entry.name]
        assert env.action_space == Discrete(actions)
        assert env.observation_space["info_state"] == Box(-np.inf, np.inf, (tensor,), np.float32)
        assert env.observation_space["action_mask"] == Box(0, 1, (actions,), np.int8)
        env.action_space.seed(0)
        terminated = False
        observation, _ = env.reset(seed=0)
        for _ in range(200):
            assert observation in env.observation_space
            if terminated:
                assert not observation["action_mask"].any()
                break
            observation, reward, terminated, *_ = env.step(env.action_space.sample())
            assert np.isfinite(reward)


def test_a_typed_client_gets_upstreams_fields(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(create_game_app(Settings(game="tic_tac_toe", opponent_policy="first")))
    for dialect in ("openenv", "v1"):
        with OpenSpielEnv(base_url=server.base_url, dialect=dialect).sync() as client:
            client.reset(seed=1)
            observation = client.step(OpenSpielAction(action_id=4)).observation
            assert observation.info_state[9] == 1.0
            assert observation.legal_actions == [1, 2, 3, 5, 6, 7, 8]
            assert observation.action_mask == [0, 1, 1, 1, 0, 1, 1, 1, 1]
            assert observation.opponent_last_action == 0


def test_many_games_at_once(live_server: Callable[..., LiveServer]) -> None:
    server = live_server(load_app("openspiel_env.server.games:2048"))

    def rollout(lanes: list[int]) -> list[np.ndarray]:
        with RemoteVectorEnv(server.base_url, num_envs=len(lanes)) as envs:
            boards, _ = envs.reset(seed=lanes)
            seen = [boards["info_state"]]
            for turn in range(20):
                boards, *_ = envs.step(np.full(len(lanes), turn % 4))
                seen.append(boards["info_state"].copy())
        return seen

    together = rollout(list(range(8)))
    alone = rollout([5])
    for all_boards, board in zip(together, alone, strict=True):
        np.testing.assert_array_equal(all_boards[5], board[0])


def test_a_variable_chooses_the_game(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"OPENSPIEL_GAME": "hex(board_size=3)", "OPENSPIEL_AGENT_PLAYER": "1"}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environ()
    assert (settings.game, settings.agent_player) == ("hex(board_size=3)", 1)
    assert create_game_app(settings).title.startswith("openspiel_env")


def test_no_game_no_server() -> None:
    with pytest.raises(UsageError, match="has no 'no_such_game'"):
        load_app("openspiel_env.server.games:no_such_game")
    with pytest.raises(ValueError, match="perfect information"):
        create_game_app(Settings(game="kuhn_poker", opponent_policy="mcts"))


# OpenSpiel says of no tensor what bounds it has.
unbounded = pytest.mark.filterwarnings("ignore:.*(minimum|maximum) value is -?infinity")


@unbounded
@pytest.mark.parametrize("entry", SINGLE, ids=lambda entry: entry.name)
def test_gymnasiums_checker_passes(entry: EnvironmentEntry, live_server: Callable[..., LiveServer]) -> None:
    assert entry.server is not None
    server = live_server(load_app(entry.server))
    with gymnasium.make(f"openenv/{entry.name}-v0", base_url=server.base_url) as env:
        check_env(env.unwrapped)


def test_the_id_alone_is_enough() -> None:
    envs = gymnasium.make_vec("openenv/TicTacToe-v0", num_envs=2)
    with envs:
        observations, _ = envs.reset(seed=1)
        assert observations["action_mask"].tolist() == [[1] * 9] * 2
        assert envs.step(np.array([4, 4]))[0]["action_mask"].sum(axis=1).tolist() == [7, 7]
