"""What an operator settles by environment variables: the spaces, and the defaults of resets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from gymnasium.spaces import Box
from pydantic import BaseModel, ConfigDict, Field, create_model

from atari_env.models import AtariAction, AtariObservation, ObservationType
from atari_env.server.emulator import Cartridge, Emulator, shelf
from openenv_gym.errors import InvalidActionError
from openenv_gym.spaces.array_field import ArrayOf, with_spaces

MAX_FRAMESKIP = 60
_VARIABLES = {
    "game_name": "ATARI_GAME",
    "obs_type": "ATARI_OBS_TYPE",
    "full_action_space": "ATARI_FULL_ACTION_SPACE",
    "mode": "ATARI_MODE",
    "difficulty": "ATARI_DIFFICULTY",
    "repeat_action_probability": "ATARI_REPEAT_ACTION_PROB",
    "frameskip": "ATARI_FRAMESKIP",
}


class AtariSettings(BaseModel):
    """A server's settings.

    Attributes:
        game_name: The game that the spaces are made for, and that is played unless a reset says otherwise.
        obs_type: What is observed.
        full_action_space: Whether all 18 actions can be taken, or those that the game uses.
        mode: The game's variant.
        difficulty: Position of the difficulty switch.
        repeat_action_probability: How probably a frame repeats the last action.
        frameskip: Frames an action is held.
    """

    model_config = ConfigDict(frozen=True)

    game_name: str = "pong"
    obs_type: ObservationType = "rgb"
    full_action_space: bool = False
    mode: int | None = None
    difficulty: int | None = None
    repeat_action_probability: float = Field(default=0.0, ge=0, le=1)
    frameskip: int = Field(default=4, ge=1, le=MAX_FRAMESKIP)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> AtariSettings:
        """Read the variables whose names begin with ``ATARI_``.

        Raises:
            ValueError: One of them makes no sense; the message names it.
        """
        given = {name: environ[variable] for name, variable in _VARIABLES.items() if environ.get(variable)}
        return cls.model_validate(given)

    @property
    def cartridge(self) -> Cartridge:
        """What is played by default."""
        return Cartridge(self.game_name, self.mode, self.difficulty)


class Interface:
    """What a server's spaces are: settled by its settings and their game.

    Args:
        settings: The server's.

    Attributes:
        settings: As given.
        num_actions: How many actions there are.
        screen_shape: Of what is observed.
        action_cls: The model of its actions.
        observation_cls: The model of its observations.

    Raises:
        InvalidActionError: There is no such game, mode or difficulty.
    """

    def __init__(self, settings: AtariSettings) -> None:
        emulator = shelf.take(settings.cartridge)
        self.settings = settings
        self.num_actions = len(emulator.actions(full=settings.full_action_space))
        self.screen_shape = emulator.screen_shape(settings.obs_type)
        shelf.give_back(emulator)
        action_id = Field(
            ge=0, lt=self.num_actions, description=AtariAction.model_fields["action_id"].description
        )
        self.action_cls: type[AtariAction] = create_model(
            "AtariAction", __base__=AtariAction, __doc__=AtariAction.__doc__, action_id=(int, action_id)
        )
        self.observation_cls = with_spaces(
            AtariObservation,
            {
                "screen": ArrayOf(Box(0, 255, self.screen_shape, np.uint8), flat=True),
                "action_mask": Box(0, 1, (self.num_actions,), np.int8),
            },
        )

    def require_fit(self, emulator: Emulator) -> None:
        """Refuse a game that these spaces have no room for.

        Raises:
            InvalidActionError: Its screen is of another size, or it has more actions.
        """
        game, settings = emulator.cartridge.game, self.settings
        shape = emulator.screen_shape(settings.obs_type)
        if shape != self.screen_shape:
            raise InvalidActionError(
                f"the screen of {game} is {shape}, that of this server's games {self.screen_shape}: start a "
                f"server with ATARI_GAME={game}"
            )
        count = len(emulator.actions(full=settings.full_action_space))
        if count > self.num_actions:
            raise InvalidActionError(
                f"{game} has {count} actions, this server {self.num_actions}: start it with "
                f"ATARI_GAME={game}, or for games of any number with ATARI_FULL_ACTION_SPACE=true"
            )
