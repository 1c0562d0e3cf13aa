"""Chess keeps what every environment promises, against an opponent and by self-play."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import numpy as np

from chess_env import ChessAction, ChessEnv
from chess_env.server.chess_environment import ChessEnvironment
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.testing import EnvironmentContract


class TestChess(EnvironmentContract):
    environment = ChessEnvironment
    client = ChessEnv
    gymnasium_id = "openenv/Chess-v0"
    bad_actions = (
        {},
        {"move": ""},
        {"move": "e2e4", "move_index": 3},
        {"move": "x" * 300},
        {"move_index": 4672},
        {"move_index": -1},
    )

    def act(self, observation: dict[str, Any], rng: random.Random) -> ChessAction:
        if rng.random() < 0.2:
            return ChessAction(move="e1e8")  # hardly ever legal
        if rng.random() < 0.5:
            return ChessAction(move=rng.choice(observation["legal_moves"]))
        legal = np.flatnonzero(observation["action_mask"])
        return ChessAction(move_index=int(rng.choice(legal.tolist())))

    def test_state_tells_the_episode(self, server: Endpoint) -> None:
        with self.open(server) as client:
            client.reset(seed=11, episode_id="an-episode", agent_color="white")
            client.step(ChessAction(move="e2e4"))
            client.step(ChessAction(move="e2e4"))  # no longer there
            state = client.state()
        assert (state.episode_id, state.step_count) == ("an-episode", 2)  # half-moves of both sides
        assert state.move_history[0] == "e2e4" and len(state.move_history) == 2


class TestSelfPlay(EnvironmentContract):
    environment = ChessEnvironment
    client = ChessEnv
    reset_options: ClassVar[dict[str, Any]] = {
        "opponent": None,
        "fen": "8/5P1k/8/8/3Pp3/8/1p4K1/8 b - d3 0 40",  # promotions and an en passant capture
        "max_moves": 8,
    }
    steps = 10

    def act(self, observation: dict[str, Any], rng: random.Random) -> ChessAction:
        return ChessAction(move=rng.choice(observation["legal_moves"]))
