"""Snake keeps what every environment promises, in both ways to steer it."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract
from snake_env import SnakeAction, SnakeEnv
from snake_env.server.settings import SnakeSettings
from snake_env.server.snake_environment import SnakeEnvironment


class TestSnake(EnvironmentContract):
    environment = SnakeEnvironment
    client = SnakeEnv
    gymnasium_id = "openenv/Snake-v0"
    reset_options: ClassVar[dict[str, Any]] = {"height": 6, "width": 6}  # fruits come often
    bad_actions = ({}, {"action": 3}, {"action": -1}, {"action": "left"}, {"action": None})
    steps = 30

    def act(self, observation: dict[str, Any], rng: random.Random) -> SnakeAction:
        return SnakeAction(action=rng.choice([0, 0, 1, 2]))


class TestSnakeSteeredByAPlayer(EnvironmentContract):
    environ: ClassVar[dict[str, str]] = {
        "SNAKE_HEIGHT": "9",
        "SNAKE_WIDTH": "12",
        "SNAKE_VISION_RANGE": "2",
        "SNAKE_OBSERVER": "human",
    }
    environment = partial(SnakeEnvironment, SnakeSettings.from_environ(environ))
    client = SnakeEnv
    bad_actions = ({"action": 5},)
    steps = 30

    def act(self, observation: dict[str, Any], rng: random.Random) -> SnakeAction:
        return SnakeAction(action=rng.randrange(5))
