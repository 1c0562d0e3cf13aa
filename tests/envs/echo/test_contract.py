"""Echo keeps what every environment promises."""

from __future__ import annotations

import random
from typing import Any

from echo_env import EchoAction, EchoEnv
from echo_env.server.echo_environment import EchoEnvironment
from openenv_gym.testing import EnvironmentContract


class TestEcho(EnvironmentContract):
    environment = EchoEnvironment
    client = EchoEnv
    gymnasium_id = "openenv/Echo-v0"
    bad_actions = ({}, {"message": 1}, {"message": None})

    def act(self, observation: dict[str, Any], rng: random.Random) -> EchoAction:
        return EchoAction(message=rng.choice(["hello", "Grüße", "\x00", "🙂" * 1000]))
