"""The engine ``open_spiel:GAME``: OpenSpiel's games, every seat played by the client.

``openspiel_env`` plays the other seats itself.
"""

from __future__ import annotations

import difflib
from functools import partial
from typing import Any

import pyspiel

from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.joint_moves import JointEnvironment
from openenv_gym.engines.open_spiel_games import JointGame, TurnGame
from openenv_gym.engines.open_spiel_states import is_mean_field, tensor_size
from openenv_gym.engines.turns import TurnEnvironment
from openenv_gym.errors import UsageError


def blueprint(environment_id: str, options: dict[str, Any]) -> Blueprint:
    """Load the game once, for all sessions.

    Args:
        environment_id: The game in OpenSpiel's notation: ``hex`` or ``hex(board_size=5)``.
        options: Parameters of the game, for an id without parentheses.

    Raises:
        UsageError: There is no such game, or it has no moves of single agents.
    """
    name = f"open_spiel:{environment_id}"
    game = _load(name, environment_id, options)
    if is_mean_field(game):
        raise UsageError(f"{name} is a mean field game, which has no moves of single agents")
    execution = "inline" if _is_quick(game) else None
    if game.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        return JointEnvironment.blueprint(name, partial(JointGame, game), execution)
    return TurnEnvironment.blueprint(name, partial(TurnGame, game), execution)


def _load(name: str, description: str, parameters: dict[str, Any]) -> Any:
    short_name = description.partition("(")[0]
    known = [kind.short_name for kind in pyspiel.registered_games()]
    if short_name not in known:
        near = difflib.get_close_matches(short_name, known, n=3)
        advice = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"{name}: OpenSpiel has no game {short_name!r}; {advice}")
    try:
        game = pyspiel.load_game(description, parameters) if parameters else pyspiel.load_game(description)
        tensor_size(game)
    except (pyspiel.SpielError, IndexError, TypeError) as error:  # C++'s out_of_range is an IndexError
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{name} cannot be loaded: {reason}") from None
    return game


def _is_quick(game: Any) -> bool:
    """Whether a move takes so little that a hop to a thread would take several times that."""
    return tensor_size(game) + int(game.num_distinct_actions()) < 1000
