"""What an engine serves keeps what every environment promises."""

from __future__ import annotations

import random
from typing import Any

from openenv_gym.client.env_client import EnvClient
from openenv_gym.engines.app import define_engine
from openenv_gym.models import Action, Observation, State
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.testing import EnvironmentContract

APP = "gymnasium:FrozenLake-v1?render_mode=ansi"
DEFINITION = define_engine(APP)


class FrozenLakeClient(EnvClient[Action, Observation, State]):
    server_app = APP
    observation_type = DEFINITION.observation_cls


class TestFrozenLake(EnvironmentContract):
    environment = DEFINITION.factory
    client = FrozenLakeClient
    gymnasium_id = "openenv/Remote-v0"
    make_options = {"server": APP}  # noqa: RUF012
    bad_actions = ({}, {"action": 4}, {"action": -1}, {"action": "left"}, {"action": None}, {"action": [1]})
    steps = 12

    def act(self, observation: dict[str, Any], rng: random.Random) -> Action:
        return DEFINITION.action_cls.model_validate({"action": rng.randrange(4)})

    def test_an_unknown_reset_option_is_refused(self, server: Endpoint) -> None:
        """It is not: Gymnasium's options are open, and its environments pass over what they do not know."""
        with self.open(server) as client:
            client.reset(seed=7, no_such_option=1)
            self.assert_same(self.played(client, 7), self.episode(server, 7))
