"""Chess against a real Stockfish: it plays, answers alike, and leaves no process behind."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from chess_env import ChessAction, ChessEnv
from chess_env.server.chess_environment import ChessEnvironment
from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.testing import EnvironmentContract

MATE_IN_ONE = "6k1/8/6K1/8/8/8/8/R7 b - - 0 1"  # after Black's only move


def stockfishes() -> set[int]:
    """The processes of this program that are children of this one."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if (
            fields["Name"] == "stockfish"
            and int(fields["PPid"]) == os.getpid()
            and "Z" not in fields["State"]
        ):
            found.add(int(fields["Pid"]))
    return found


class TestAgainstStockfish(EnvironmentContract):
    environment = ChessEnvironment
    client = ChessEnv
    reset_options: ClassVar[dict[str, Any]] = {
        "opponent": "stockfish",
        "opponent_depth": 4,
        "opponent_time": 60,  # a slow machine is not to change the answers
        "opponent_noise": 0.3,
    }
    steps = 6

    def act(self, observation: dict[str, Any], rng: random.Random) -> ChessAction:
        return ChessAction(move=rng.choice(observation["legal_moves"]))

    def test_state_tells_the_episode(self, server: Endpoint) -> None:
        with self.open(server) as client:
            client.reset(**{**self.reset_options, "seed": 11}, agent_color="black")
            assert client.state().step_count == 1


def test_it_finds_a_mate() -> None:
    env = ChessEnvironment()
    try:
        env.reset(fen=MATE_IN_ONE, opponent="stockfish", agent_color="black", opponent_depth=6)
        observation = env.step(ChessAction(move="g8h8"))
        assert (observation.reward, observation.done, observation.result) == (-1.0, True, "1-0")
    finally:
        env.close()


def test_a_session_has_one_process_while_it_needs_it() -> None:
    before = stockfishes()
    env = ChessEnvironment()
    env.reset(seed=1)
    assert stockfishes() == before
    for _ in range(3):
        env.reset(seed=1, opponent="stockfish", agent_color="white")
        env.step(ChessAction(move="e2e4"))
        assert len(stockfishes() - before) == 1
    env.close()
    assert stockfishes() == before


def test_its_death_is_said_and_the_move_can_be_made_again() -> None:
    before = stockfishes()
    env = ChessEnvironment()
    try:
        env.reset(seed=1, opponent="stockfish", agent_color="white")
        (process,) = stockfishes() - before
        os.kill(process, signal.SIGKILL)
        with pytest.raises(EnvironmentFailedError, match="Stockfish gave no move"):
            env.step(ChessAction(move="e2e4"))
        assert env.state.move_history == []
        env.step(ChessAction(move="e2e4"))
        assert env.state.step_count == 2
    finally:
        env.close()
    assert stockfishes() == before


def test_going_back_gives_the_same_answers() -> None:
    def rest(env: ChessEnvironment) -> list[str]:
        rng = random.Random(2)
        for _ in range(4):
            observation = env.step(ChessAction(move="nonsense"))
            env.step(ChessAction(move=rng.choice(observation.legal_moves)))
        return env.state.move_history

    env, fork = ChessEnvironment(), ChessEnvironment()
    try:
        options: dict[str, Any] = {"opponent_depth": 8, "opponent_time": 60, "opponent_noise": 0.2}
        env.reset(seed=5, opponent="stockfish", agent_color="white", **options)
        env.step(ChessAction(move="d2d4"))
        snapshot = env.snapshot()
        first = rest(env)
        env.restore(snapshot)
        fork.restore(snapshot)
        assert rest(env) == rest(fork) == first
    finally:
        env.close()
        fork.close()


def test_pure_noise_never_asks_it() -> None:
    before = stockfishes()
    env = ChessEnvironment()
    try:
        env.reset(seed=1, opponent="stockfish", agent_color="white", opponent_noise=1.0)
        (process,) = stockfishes() - before
        os.kill(process, signal.SIGKILL)
        for move in ("e2e4", "d2d4", "g1f3"):
            env.step(ChessAction(move=move))
        assert env.state.step_count == 6
    finally:
        env.close()
