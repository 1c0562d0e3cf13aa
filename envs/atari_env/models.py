"""What travels between an agent and the Atari environment."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces.array_field import ArrayOf

ObservationType = Literal["rgb", "grayscale", "ram"]


class AtariAction(Action):
    """A press of the joystick. Its gymnasium space is ``Discrete``, of as many actions as the server has.

    The other fields are OpenEnv's; the server's settings and the reset decide, and they change nothing.
    """

    model_config = ConfigDict(json_schema_extra={"gymnasium_field": "action_id"})

    action_id: int = Field(ge=0, lt=18, description="One of the observation's `legal_actions`")
    game_name: str = Field(default="pong", max_length=64, description="Changes nothing")
    obs_type: ObservationType = Field(default="rgb", description="Changes nothing")
    full_action_space: bool = Field(default=False, description="Changes nothing")


class AtariObservation(Observation):
    """The screen after an action. Its gymnasium space is the screen's, in its shape."""

    model_config = ConfigDict(json_schema_extra={"gymnasium_field": "screen"})

    screen: Annotated[np.ndarray, ArrayOf(np.uint8)] = Field(
        description="Pixels, or the memory's bytes, 0 to 255, as one flat list in C order"
    )
    screen_shape: list[int] = Field(
        description="Its shape, for most games [210, 160, 3], [210, 160] or [128]"
    )
    legal_actions: list[int] = Field(description="The game's actions: 0, 1, ...")
    action_mask: Annotated[np.ndarray, ArrayOf(np.int8)] = Field(
        description="1 for each of the server's actions that the game has, else 0"
    )
    lives: int = Field(default=0, description="Lives left")
    episode_frame_number: int = Field(default=0, ge=0, description="Frames in this episode")
    frame_number: int = Field(default=0, ge=0, description="The same: equal seeds give equal episodes")
    screen_image: str | None = Field(
        default=None, description="If asked for: the screen as a data URI of a PNG"
    )

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The screen in its shape; a view."""
        return self.screen.reshape(self.screen_shape)


class AtariState(State):
    """The game and how it is played."""

    game_name: str = Field(default="pong", description="In snake case: space_invaders")
    obs_type: ObservationType = "rgb"
    full_action_space: bool = Field(default=False, description="All 18 actions, or those the game uses")
    mode: int | None = Field(default=None, description="The game's variant; null is its first")
    difficulty: int | None = Field(default=None, description="Position of the difficulty switch")
    repeat_action_probability: float = Field(
        default=0.0, ge=0, le=1, description="How probably a frame repeats the last action instead"
    )
    frameskip: int = Field(default=4, ge=1, description="Frames an action is held")
