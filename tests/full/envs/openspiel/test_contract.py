"""OpenSpiel keeps what every environment promises: any game on one server, and a server of one game."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import pytest

from openenv_gym.client.env_client import EnvClient
from openenv_gym.testing import EnvironmentContract
from openspiel_env import OpenSpielAction, OpenSpielEnv, OpenSpielState
from openspiel_env.server.openspiel_environment import OpenSpielEnvironment
from openspiel_env.server.settings import Settings
from openspiel_env.server.single_game import single_game

Blackjack = single_game(Settings(game="blackjack"))


class BlackjackEnv(EnvClient[OpenSpielAction, Blackjack.OBSERVATION, OpenSpielState]):  # type: ignore[name-defined]
    server_app = "openspiel_env.server.games:blackjack"


class OpenSpielContract(EnvironmentContract):
    def act(self, observation: dict[str, Any], rng: random.Random) -> OpenSpielAction:
        return OpenSpielAction(action_id=rng.choice(observation["legal_actions"]))


class TestLeducPoker(OpenSpielContract):
    """A game with chance, an opponent and hidden cards, chosen by a reset."""

    environment = OpenSpielEnvironment
    client = OpenSpielEnv
    gymnasium_id = "openenv/OpenSpiel-v0"
    reset_options: ClassVar = {"game_name": "leduc_poker", "agent_player": 1}
    bad_actions = ({}, {"action_id": "call"}, {"action_id": None})


# OpenSpiel says of no tensor what bounds it has.
@pytest.mark.filterwarnings("ignore:.*(minimum|maximum) value is -?infinity")
class TestBlackjack(OpenSpielContract):
    """A server of one game: arrays travel, and the spaces are its own."""

    environment = Blackjack
    client = BlackjackEnv
    gymnasium_id = "openenv/Blackjack-v0"
    bad_actions = ({}, {"action_id": "hit"}, {"action_id": 2}, {"action_id": -1})
