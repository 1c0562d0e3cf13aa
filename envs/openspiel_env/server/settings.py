"""What the server's environment variables say, by upstream's names and some of our own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from openspiel_env.server.openspiel_environment import IllegalAction


@dataclass(frozen=True)
class Settings:
    """How games are played where a client does not say otherwise.

    Attributes:
        game: The one game to serve, in OpenSpiel's notation; ``None`` serves any.
        agent_player: The agent's seat.
        opponent_policy: Who plays the other seats.
        illegal_action: What an illegal move does.
    """

    game: str | None = None
    agent_player: int = 0
    opponent_policy: str = "random"
    illegal_action: IllegalAction = "lose"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables.

        Raises:
            ValueError: One holds nonsense.
        """
        seat = environ.get("OPENSPIEL_AGENT_PLAYER", "0")
        if not seat.isdecimal():
            raise ValueError(f"OPENSPIEL_AGENT_PLAYER={seat!r} is no seat: give a number from 0 on")
        illegal = environ.get("OPENSPIEL_ILLEGAL_ACTION", "lose")
        if illegal not in get_args(IllegalAction):
            known = " or ".join(get_args(IllegalAction))
            raise ValueError(f"OPENSPIEL_ILLEGAL_ACTION={illegal!r}: give {known}")
        return cls(
            game=environ.get("OPENSPIEL_GAME") or None,
            agent_player=int(seat),
            opponent_policy=environ.get("OPENSPIEL_OPPONENT_POLICY", "random"),
            illegal_action=cast(IllegalAction, illegal),
        )
