"""What the dial's server and clients say to each other."""

from __future__ import annotations

from openenv.core.env_server import Action, Observation


class DialAction(Action):
    """Turn the dial."""

    turn: int = 1


class DialObservation(Observation):
    """Where the dial points."""

    position: int = 0
