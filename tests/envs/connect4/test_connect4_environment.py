"""Whole games of Connect4: who wins what, and going back."""

from __future__ import annotations

import random
from typing import Any

import pytest

from connect4_env import Connect4Action, Connect4Observation
from connect4_env.server.connect4_environment import Connect4Environment


def play(env: Connect4Environment, columns: str) -> Connect4Observation:
    for column in columns:
        observation = env.step(Connect4Action(column=int(column)))
    return observation


def test_the_agent_plays_both_sides_and_the_winning_move_is_rewarded() -> None:
    env = Connect4Environment()
    observation = env.reset(seed=1)
    assert observation.metadata == {"next_player": 1}
    assert not observation.board.any()
    observation = play(env, "01010")
    assert (observation.reward, observation.done) == (0.0, False)
    assert observation.board[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert observation.canonical_board[:, 0].tolist() == [0, 0, 0, -1, -1, -1]
    observation = play(env, "2")
    assert env.state.next_player == 1
    observation = play(env, "0")
    assert (observation.reward, observation.done) == (1.0, True)
    assert observation.metadata == {"next_player": -1, "winner": 1}
    assert env.state.board == observation.board.tolist()
    assert env.state.step_count == 7


def test_a_full_board_is_a_draw() -> None:
    env = Connect4Environment()
    env.reset()
    observation = play(env, "010101232323101010323232" + "454545545454" + "666666")
    assert (observation.reward, observation.done, observation.metadata["winner"]) == (0.0, True, 0)
    assert observation.legal_actions == []
    assert not observation.action_mask.any()
    assert observation.board.all()


@pytest.mark.parametrize("column", [-1, 7, 10**30, 0], ids=["below", "beyond", "huge", "full"])
def test_an_illegal_column_loses(column: int) -> None:
    env = Connect4Environment()
    env.reset()
    observation = play(env, "000000")
    board = observation.board.tolist()
    assert observation.legal_actions == [1, 2, 3, 4, 5, 6]
    assert observation.action_mask.tolist() == [0, 1, 1, 1, 1, 1, 1]
    observation = env.step(Connect4Action(column=column))
    assert (observation.reward, observation.done) == (-1.0, True)
    assert observation.metadata == {"next_player": -1, "winner": -1, "illegal_move": True}
    assert observation.board.tolist() == board


@pytest.mark.parametrize(("agent_player", "discs"), [(1, 0), (-1, 1)])
def test_an_opponent_answers_and_may_begin(agent_player: int, discs: int) -> None:
    env = Connect4Environment()
    observation = env.reset(seed=1, opponent="random", agent_player=agent_player)
    assert abs(observation.board).sum() == discs
    assert observation.metadata["next_player"] == agent_player
    observation = play(env, "3")
    assert abs(observation.board).sum() == discs + 2
    assert observation.board[observation.canonical_board == 1].tolist() == [agent_player]


def test_losing_to_an_opponent_costs_a_point() -> None:
    env = Connect4Environment()
    observation = env.reset(seed=1, opponent="minimax", opponent_depth=2)
    while not observation.done:
        observation = env.step(Connect4Action(column=observation.legal_actions[0]))
    assert (observation.reward, observation.metadata["winner"]) == (-1.0, -1)


def test_minimax_beats_the_random_opponent() -> None:
    rng, rewards = random.Random(1), []
    for seed in range(10):
        env = Connect4Environment()
        observation = env.reset(seed=seed, opponent="minimax", opponent_depth=3, agent_player=None)
        while not observation.done:
            observation = env.step(Connect4Action(column=rng.choice(observation.legal_actions)))
        rewards.append(observation.reward)
    assert rewards == [-1.0] * 10


def test_the_seed_draws_who_begins_and_what_the_opponent_plays() -> None:
    def game(seed: int) -> list[Any]:
        env = Connect4Environment()
        observation = env.reset(seed=seed, opponent="random", agent_player=None)
        moments = [observation.board.tolist()]
        while not observation.done:
            observation = env.step(Connect4Action(column=observation.legal_actions[0]))
            moments.append(observation.board.tolist())
        return moments

    games = [game(seed) for seed in range(8)]
    assert [game(seed) for seed in range(8)] == games
    assert len({str(moments) for moments in games}) == 8
    assert len({abs(sum(map(sum, moments[0]))) for moments in games}) == 2


def test_equal_moves_after_a_snapshot_have_equal_ends() -> None:
    def rest(env: Connect4Environment, observation: Connect4Observation) -> list[Any]:
        moments = []
        while not observation.done:
            observation = env.step(Connect4Action(column=observation.legal_actions[-1]))
            moments.append((observation.board.tolist(), observation.reward))
        return [*moments, env.state]

    env, fork = Connect4Environment(), Connect4Environment()
    env.reset(seed=3, opponent="random")
    observation = play(env, "33")
    snapshot = env.snapshot()
    first = rest(env, observation)
    env.restore(snapshot)
    fork.restore(snapshot)
    assert rest(env, observation) == rest(fork, observation) == first
