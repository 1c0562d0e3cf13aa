"""Atari keeps what every environment promises: as pixels, in grey, and as memory with sticky actions."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, ClassVar

from atari_env import AtariAction, AtariEnv
from atari_env.server.atari_environment import AtariEnvironment
from atari_env.server.settings import AtariSettings, Interface
from openenv_gym.testing import EnvironmentContract


class TestPixels(EnvironmentContract):
    environment = partial(AtariEnvironment, Interface(AtariSettings()))
    client = AtariEnv
    gymnasium_id = "openenv/Atari-v0"
    bad_actions = ({}, {"action_id": 6}, {"action_id": -1}, {"action_id": 1, "obs_type": "text"})
    steps = 3  # as JSON a screen is large

    def act(self, observation: dict[str, Any], rng: random.Random) -> AtariAction:
        return AtariAction(action_id=rng.choice(observation["legal_actions"]))


class TestMemory(EnvironmentContract):
    environ: ClassVar[dict[str, str]] = {
        "ATARI_GAME": "breakout",
        "ATARI_OBS_TYPE": "ram",
        "ATARI_FULL_ACTION_SPACE": "true",
        "ATARI_REPEAT_ACTION_PROB": "0.25",
        "ATARI_FRAMESKIP": "5",
    }
    environment = partial(AtariEnvironment, Interface(AtariSettings.from_environ(environ)))
    client = AtariEnv
    reset_options: ClassVar[dict[str, Any]] = {"game_name": "space_invaders", "max_frames": 150}
    bad_actions = ({"action_id": 18},)
    steps = 40

    def act(self, observation: dict[str, Any], rng: random.Random) -> AtariAction:
        return AtariAction(action_id=rng.choice(observation["legal_actions"]), game_name="space_invaders")
