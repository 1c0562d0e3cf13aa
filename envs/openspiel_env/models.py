"""What travels between an agent and the OpenSpiel environment.

Names, types and defaults are upstream's; ``action_mask``, ``text`` and ``legal_action_names`` are the only
additions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from openenv_gym.models import Action, Observation, State


class OpenSpielAction(Action):
    """One move."""

    action_id: int = Field(description="The move, out of the observation's legal_actions")
    game_name: str = Field(default="catch", description="Not read: the server knows its game")
    game_params: dict[str, Any] = Field(default_factory=dict, description="Not read, as game_name")


class OpenSpielPosition(Observation):
    """What every server says about a game when the agent is to move, or when it is over."""

    legal_actions: list[int] = Field(description="Moves the agent may make now; none when the game is over")
    game_phase: str = Field(default="playing", description='"initial", "playing" or "terminal"')
    current_player_id: int = Field(
        default=0, description="Seat to move: the agent's; -2 when all move at once, -4 when the game is over"
    )
    opponent_last_action: int | None = Field(
        default=None, description="The last move of another seat; null before there is one"
    )
    text: str = Field(default="", description="What the agent sees, as text; empty if the game has none")
    legal_action_names: list[str] = Field(
        default_factory=list, description="What OpenSpiel calls the legal_actions, in their order"
    )


class OpenSpielObservation(OpenSpielPosition):
    """The game as the agent's seat sees it."""

    info_state: list[float] = Field(
        description="The game's information state tensor, or its observation tensor, flattened"
    )
    action_mask: list[int] = Field(
        default_factory=list,
        description="1 for each legal move, 0 for the others; only from servers of a single game",
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_of_arrays(cls, fields: Any) -> Any:
        """Take the arrays that servers of a single game send."""
        if not isinstance(fields, dict):
            return fields
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in fields.items()
        }


class OpenSpielState(State):
    """The game and who plays it."""

    game_name: str = Field(default="catch", description="OpenSpiel's short name of the game")
    agent_player: int = Field(default=0, description="The agent's seat, counted from 0")
    opponent_policy: str = Field(default="random", description="Who plays the other seats")
    game_params: dict[str, Any] = Field(
        default_factory=dict, description="Parameters of the game, where they are not its defaults"
    )
    num_players: int = Field(default=1, description="How many seats the game has")
