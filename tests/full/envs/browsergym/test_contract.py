"""BrowserGym keeps what every environment promises."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from browsergym_env import BrowserGymAction, BrowserGymEnv
from browsergym_env.models import MAX_ACTION_LENGTH
from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from openenv_gym.testing import EnvironmentContract

pytestmark = pytest.mark.timeout(300)

_TEXTS = ("hello", "Grüße 🙂", "")


class TestBrowserGym(EnvironmentContract):
    environment = BrowserGymEnvironment
    client = BrowserGymEnv
    gymnasium_id = "openenv/BrowserGym-v0"
    environ = {"BROWSERGYM_INCLUDE_SCREENSHOT": "true", "BROWSERGYM_TASK_NAME": "enter-text"}  # noqa: RUF012
    bad_actions = ({}, {"action_str": 1}, {"action_str": "x" * (MAX_ACTION_LENGTH + 1)})
    steps = 2

    def act(self, observation: dict[str, Any], rng: random.Random) -> BrowserGymAction:
        bids = re.findall(r"\[(\d+)\] (textbox|button)", observation["axtree_txt"])
        bid, role = rng.choice([*bids, ("99999", "nothing")])
        text = rng.choice(_TEXTS)
        return BrowserGymAction(
            action_str=f"fill({bid!r}, {text!r})" if role == "textbox" else f"hover({bid!r})"
        )
