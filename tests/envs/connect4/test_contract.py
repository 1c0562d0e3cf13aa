"""Connect4 keeps what every environment promises."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from connect4_env import Connect4Action, Connect4Env
from connect4_env.server.connect4_environment import Connect4Environment
from openenv_gym.testing import EnvironmentContract


class TestConnect4(EnvironmentContract):
    environment = Connect4Environment
    client = Connect4Env
    gymnasium_id = "openenv/Connect4-v0"
    reset_options: ClassVar[dict[str, Any]] = {
        "opponent": "minimax",
        "opponent_depth": 2,
        "agent_player": None,
    }
    bad_actions = ({}, {"column": "middle"}, {"column": 1.5}, {"column": None})
    steps = 22  # more than a game has for one side

    def act(self, observation: dict[str, Any], rng: random.Random) -> Connect4Action:
        return Connect4Action(column=rng.choice(observation["legal_actions"]))
