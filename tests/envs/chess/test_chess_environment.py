"""Whole games of chess: how they start, end and are rewarded, and going back in them."""

from __future__ import annotations

from typing import Any

import chess
import pytest

from chess_env import ChessAction, ChessObservation
from chess_env.server.chess_environment import ChessEnvironment
from openenv_gym.errors import InvalidActionError


def play(env: ChessEnvironment, *moves: str) -> ChessObservation:
    for move in moves:
        observation = env.step(ChessAction(move=move))
    return observation


def alone(fen: str | None = None, **options: Any) -> ChessEnvironment:
    """An environment in which the agent plays both sides."""
    env = ChessEnvironment()
    env.reset(seed=1, opponent=None, fen=fen, **options)
    return env


def test_a_new_game() -> None:
    observation = ChessEnvironment().reset(opponent=None)
    assert observation.fen == chess.STARTING_FEN
    assert len(observation.legal_moves) == 20
    assert observation.action_mask.sum() == 20
    assert (observation.is_check, observation.result, observation.done) == (False, None, False)


def test_mate_wins_for_whoever_gave_it() -> None:
    env = alone()
    observation = play(env, "f2f3", "e7e5", "g2g4")
    assert (observation.reward, observation.done) == (0.0, False)
    observation = play(env, "d8h4")
    assert (observation.reward, observation.done, observation.truncated) == (1.0, True, False)
    assert (observation.result, observation.is_check, observation.legal_moves) == ("0-1", True, [])
    assert env.state.move_history == ["f2f3", "e7e5", "g2g4", "d8h4"]
    assert (env.state.step_count, env.state.current_player) == (4, "white")


@pytest.mark.parametrize(
    ("fen", "moves"),
    [
        ("7k/8/6K1/8/8/8/8/5Q2 w - - 0 1", ["f1f7"]),
        ("7k/8/8/8/8/8/5p2/6K1 w - - 0 1", ["g1f2"]),
        ("7k/8/8/8/8/8/R7/6K1 w - - 99 80", ["a2a3"]),
        (None, ["g1f3", "g8f6", "f3g1", "f6g8"] * 2),
    ],
    ids=["stalemate", "bare-kings", "fifty-moves", "repetition"],
)
def test_draws(fen: str | None, moves: list[str]) -> None:
    env = alone(fen)
    if moves[:-1]:
        assert not play(env, *moves[:-1]).done
    observation = play(env, moves[-1])
    assert (observation.reward, observation.done, observation.truncated) == (0.0, True, False)
    assert observation.result == "1/2-1/2"


@pytest.mark.parametrize("move", ["e2e5", "e7e5", "0000", "nonsense", "P@e4", "e2e4q", "\x00"])
def test_an_illegal_move_costs_and_changes_nothing(move: str) -> None:
    env = alone()
    observation = play(env, move)
    assert (observation.reward, observation.done) == (-0.1, False)
    assert observation.metadata["illegal_move"] is True
    assert observation.fen == chess.STARTING_FEN
    assert env.state.step_count == 0
    assert play(env, "e2e4").reward == 0.0


def test_numbers_that_are_no_legal_move_cost_the_same() -> None:
    env = alone()
    for number in (0, 4671, 73 * 12 + 7 * 2 + 5):
        assert env.step(ChessAction(move_index=number)).reward == -0.1
    assert env.step(ChessAction(move_index=73 * 12 + 1)).fen.startswith("rnbqkbnr/pppppppp/8/8/4P3")


def test_an_illegal_move_can_lose_the_game() -> None:
    env = alone(illegal_move="loss")
    play(env, "e2e4")
    observation = play(env, "e2e4")
    assert (observation.reward, observation.done, observation.result) == (-1.0, True, "1-0")


def test_a_limit_truncates_also_those_who_never_move() -> None:
    env = alone(max_moves=3)
    observation = play(env, "e2e4", "nonsense")
    assert not observation.done
    observation = play(env, "e7e5")
    assert (observation.done, observation.truncated, observation.result) == (True, True, "1/2-1/2")
    env = alone(max_moves=2)
    assert play(env, "nonsense", "nonsense").truncated


def test_the_opponent_answers_and_white_begins() -> None:
    env = ChessEnvironment()
    env.reset(seed=1, agent_color="white")
    assert env.state.step_count == 0
    play(env, "e2e4")
    assert env.state.step_count == 2
    observation = env.reset(seed=1, agent_color="black")
    assert env.state.step_count == 1
    assert observation.fen.split()[1] == "b"


def test_the_seed_draws_side_and_answers() -> None:
    def game(seed: int) -> list[str]:
        env = ChessEnvironment()
        observation = env.reset(seed=seed, max_moves=12)
        while not observation.done:
            observation = env.step(ChessAction(move=observation.legal_moves[0]))
        return env.state.move_history

    games = [game(seed) for seed in range(6)]
    assert [game(seed) for seed in range(6)] == games
    assert len({tuple(moves) for moves in games}) == 6


def test_being_mated_costs_a_point() -> None:
    env = ChessEnvironment()
    # White to move has one move, and Black then only mates.
    env.reset(fen="7k/8/8/8/8/5n2/r7/7K b - - 0 1", opponent=None)
    assert play(env, "a2h2").reward == 1.0
    env.reset(fen="k7/8/8/8/8/1r6/8/K7 w - - 0 1", agent_color="white", max_moves=40, seed=1)
    losses = 0
    for seed in range(300):
        env.reset(fen="8/8/8/8/8/1k6/7r/K7 w - - 0 1", agent_color="white", seed=seed)
        observation = play(env, "a1b1")
        losses += observation.reward == -1.0
        assert observation.done == (observation.result == "0-1") == (observation.reward == -1.0)
    assert losses  # the random mover finds the mate now and then


@pytest.mark.parametrize(
    ("fen", "reason"),
    [
        ("rnbqkbnr/8", "no position"),
        ("8/8/8/8/8/8/8/8 w - - 0 1", "no_white_king"),
        ("kk6/8/8/8/8/8/8/K7 w - - 0 1", "too_many_kings"),
        ("k7/8/8/8/8/8/8/K6r b - - 0 1", "opposite_check"),
        ("7k/5KQ1/8/8/8/8/8/8 b - - 0 1", "game is over"),
        ("7k/8/8/8/8/8/8/K7 w - - 0 1", "game is over"),
    ],
)
def test_what_cannot_be_played_is_refused_and_the_game_goes_on(fen: str, reason: str) -> None:
    env = alone()
    play(env, "e2e4")
    with pytest.raises(InvalidActionError, match=reason):
        env.reset(fen=fen)
    assert env.state.move_history == ["e2e4"]
    play(env, "e7e5")


def test_a_missing_stockfish_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKFISH", "no-such-program")
    env = alone()
    with pytest.raises(InvalidActionError, match="apt-get install stockfish"):
        env.reset(opponent="stockfish")
    play(env, "e2e4")


def test_equal_moves_after_a_snapshot_have_equal_ends() -> None:
    def rest(env: ChessEnvironment) -> list[Any]:
        moments = []
        for _ in range(12):
            legal = [move.uci() for move in chess.Board(env.state.fen).legal_moves]
            moments.append(play(env, "nonsense" if len(moments) == 3 else legal[-1]).model_dump_json())
        return [*moments, env.state]

    env, fork = ChessEnvironment(), ChessEnvironment()
    env.reset(seed=3, max_moves=100)
    play(env, env.reset(seed=3, max_moves=100).legal_moves[0])
    snapshot = env.snapshot()
    first = rest(env)
    env.restore(snapshot)
    fork.restore(snapshot)
    assert rest(env) == rest(fork) == first
