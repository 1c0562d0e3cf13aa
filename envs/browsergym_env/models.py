"""What travels between an agent and the BrowserGym environment; names and defaults are OpenEnv's."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces.array_field import ArrayOf

MAX_ACTION_LENGTH = 16_384


Screenshot = Annotated[np.ndarray, ArrayOf(np.uint8)]
"""A page's picture, (height, width, 3)."""


class BrowserGymAction(Action):
    """One or several calls of BrowserGym's functions, as text."""

    action_str: str = Field(
        max_length=MAX_ACTION_LENGTH,
        description="Calls of BrowserGym's action functions with literal arguments, such as click('12')",
    )


class BrowserGymObservation(Observation):
    """The active page, as text and perhaps as an image, and what became of the last action.

    ``metadata`` holds what else BrowserGym reports: ``browsergym_obs`` (chat messages, open pages, properties
    of the page's elements, ...) and ``browsergym_info``. Times are in ``BrowserGymState.clock``.
    """

    text: str = Field(default="", description="The page as text: its accessibility tree, else its HTML")
    url: str = Field(default="", description="Address of the active page")
    screenshot: Screenshot | None = Field(
        default=None,
        description="The page as an image, (height, width, 3); null unless the server takes them",
    )
    goal: str = Field(default="", description="What is to be done")
    axtree_txt: str = Field(default="", description="The accessibility tree, with the ids that actions take")
    pruned_html: str = Field(default="", description="The page's HTML without scripts and styles")
    error: str = Field(default="", description="Why the last action failed")
    last_action_error: bool = Field(default=False, description="Whether the last action failed")


class BrowserGymState(State):
    """The episode's task and how far it has come."""

    benchmark: str = Field(default="", description="Name of the benchmark, such as miniwob or webarena")
    task_name: str = Field(default="", description="Task within the benchmark, such as click-test")
    task_id: str | None = Field(
        default=None, description="Number of the task where its benchmark counts them"
    )
    goal: str = Field(default="", description="What is to be done")
    current_url: str = Field(default="", description="Address of the active page")
    max_steps: int | None = Field(default=None, description="Steps an episode may have; null for no limit")
    cum_reward: float = Field(default=0.0, description="Sum of the episode's rewards")
    clock: dict[str, Any] = Field(
        default_factory=dict, description="Times of the last step, which equal episodes do not share"
    )
