"""Servers of a single game: its spaces are exact and numeric, so that any Gymnasium trainer takes them.

On the wire they are the environment they are made from, with ``action_mask`` beside ``legal_actions``. Their
schemas say more: an action is one of the game's numbered moves, and the space of an observation is
``info_state`` and ``action_mask``.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from fastapi import FastAPI
from gymnasium import spaces
from pydantic import ConfigDict, Field

from openenv_gym.engines.open_spiel_states import tensor_size
from openenv_gym.server import create_app
from openenv_gym.spaces import hint_for
from openenv_gym.spaces.array_field import ArrayOf
from openspiel_env.models import OpenSpielAction, OpenSpielPosition, OpenSpielState
from openspiel_env.server.game_loading import load_game
from openspiel_env.server.match import Match
from openspiel_env.server.openspiel_environment import IllegalAction, OpenSpielEnvironment, sight
from openspiel_env.server.opponents import OpponentName
from openspiel_env.server.settings import Settings


class SingleGameEnvironment(OpenSpielEnvironment):
    """Plays one game. `single_game` makes a subclass for it, which is made without arguments.

    Attributes:
        SETTINGS: The game and how it is played.
        ACTION: Model of its actions.
        OBSERVATION: Model of its observations.
    """

    SETTINGS: ClassVar[Settings]
    ACTION: ClassVar[type[OpenSpielAction]]
    OBSERVATION: ClassVar[type[OpenSpielPosition]]

    def __init__(self) -> None:
        settings = self.SETTINGS
        super().__init__(
            settings.game or "catch",
            settings.agent_player,
            settings.opponent_policy,
            illegal_action=settings.illegal_action,
        )
        self._num_actions = self._usual.game.num_distinct_actions()

    def reset(  # type: ignore[override]
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        agent_player: int | None = None,
        opponent_policy: OpponentName | None = None,
        illegal_action: IllegalAction | None = None,
    ) -> OpenSpielPosition:
        """Start a game; see `OpenSpielEnvironment.reset`."""
        return super().reset(
            seed,
            episode_id,
            agent_player=agent_player,
            opponent_policy=opponent_policy,
            illegal_action=illegal_action,
        )

    def _observe(self, match: Match, **envelope: Any) -> OpenSpielPosition:
        fields = sight(match)
        mask = np.zeros(self._num_actions, np.int8)
        mask[fields["legal_actions"]] = 1
        return self.OBSERVATION(**fields, action_mask=mask, done=match.is_over, **envelope)


def single_game(settings: Settings) -> type[SingleGameEnvironment]:
    """Make the environment of the game of ``settings``.

    Raises:
        ValueError: It cannot be played.
    """
    game = load_game(settings.game or "catch")
    members = {
        "__doc__": f"Plays OpenSpiel's {game.get_type().short_name}.",
        "SETTINGS": settings,
        "ACTION": _action_model(game),
        "OBSERVATION": _observation_model(game),
        # Without opponents, who may search, a move takes microseconds.
        "EXECUTION": "inline" if game.num_players() == 1 else "thread",
    }
    environment = type("SingleGame", (SingleGameEnvironment,), members)
    environment().close()  # a wrong setting is said when the server starts, not to its first client
    return environment


def create_game_app(settings: Settings) -> FastAPI:
    """Make the app that serves the game of ``settings`` alone.

    Raises:
        ValueError: It cannot be played.
    """
    environment = single_game(settings)
    return create_app(
        environment,
        environment.ACTION,
        environment.OBSERVATION,
        env_name="openspiel_env",
        state_cls=OpenSpielState,
    )


def _action_model(game: Any) -> type[OpenSpielAction]:
    class GameAction(OpenSpielAction):
        """One of the game's moves."""

        model_config = ConfigDict(json_schema_extra={"gymnasium_field": "action_id"})

        action_id: int = Field(ge=0, lt=game.num_distinct_actions(), description="The move")

    return GameAction


def _observation_model(game: Any) -> type[OpenSpielPosition]:
    mask = spaces.Box(0, 1, (game.num_distinct_actions(),), np.int8)
    # OpenSpiel says of no tensor what bounds it has.
    tensor = spaces.Box(-np.inf, np.inf, (tensor_size(game),), np.float32)
    space = spaces.Dict({"action_mask": mask, "info_state": tensor})

    class GameObservation(OpenSpielPosition):
        """The game as the agent's seat sees it."""

        model_config = ConfigDict(json_schema_extra={"gymnasium_space": hint_for(space)})

        info_state: Annotated[np.ndarray, ArrayOf(tensor)]
        action_mask: Annotated[np.ndarray, ArrayOf(mask)]

    return GameObservation
