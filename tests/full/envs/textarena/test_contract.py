"""TextArena and Wordle keep what every environment promises."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract
from textarena_env import TextArenaAction, TextArenaEnv
from textarena_env.server.textarena_environment import TextArenaEnvironment
from textarena_env.server.words import common_nouns

BAD_ACTIONS = ({}, {"message": 1}, {"message": None}, {"message": "x" * 8193})
GUESSES = [word for word in common_nouns() if len(word) == 5]


class WordleEnv(TextArenaEnv):
    server_app = "textarena_env.server.wordle:app"


class TestWordle(EnvironmentContract):
    environment = TextArenaEnvironment
    client = WordleEnv
    gymnasium_id = "openenv/Wordle-v0"
    bad_actions = BAD_ACTIONS

    def act(self, observation: dict[str, Any], rng: random.Random) -> TextArenaAction:
        return TextArenaAction(message=f"I think it is [{rng.choice(GUESSES)}]")


class TestAgainstAnOpponent(EnvironmentContract):
    environment = TextArenaEnvironment
    client = TextArenaEnv
    gymnasium_id = "openenv/TextArena-v0"
    bad_actions = BAD_ACTIONS
    reset_options: ClassVar = {"env_id": "ConnectFour-v0", "opponent": "random", "seat": 1}

    def act(self, observation: dict[str, Any], rng: random.Random) -> TextArenaAction:
        return TextArenaAction(message=f"[col {rng.randrange(7)}]")
