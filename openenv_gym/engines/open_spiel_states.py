"""States of OpenSpiel's games: chance, as that library's own environment draws it, and what players see."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import pyspiel


class Chance:
    """Draws as ``open_spiel.python.rl_environment.ChanceEventSampler(seed)`` does.

    Args:
        seed: From 0 to ``2**32 - 1``; see `settled_seed`.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.RandomState(seed)

    def play(self, state: Any) -> None:
        """Play a state on through its chance nodes."""
        while state.is_chance_node():
            outcomes, probabilities = zip(*state.chance_outcomes(), strict=True)
            state.apply_action(self._rng.choice(outcomes, p=probabilities))


def settled_seed(seed: int | None) -> int:
    """Bring a seed into the range that `Chance` takes; draw one for ``None``."""
    return secrets.randbits(32) if seed is None else seed % 2**32


def seeded(game: Any, seed: int) -> Any:
    """Make a game that draws inside itself, unseen by chance nodes, anew with a seed; leave any other."""
    parameters = game.get_parameters()
    if "rng_seed" not in parameters:
        return game
    return pyspiel.load_game(game.get_type().short_name, {**parameters, "rng_seed": seed % 2**31})


def tensor_size(game: Any) -> int:
    """Count the numbers that a player is shown: the information state, else the observation, else none."""
    kind = game.get_type()
    if kind.provides_information_state_tensor:
        return int(game.information_state_tensor_size())
    return int(game.observation_tensor_size()) if kind.provides_observation_tensor else 0


def tensor(kind: Any, state: Any, player: int) -> list[float]:
    """Show a player a state as numbers.

    Args:
        kind: The ``pyspiel.GameType``.
        state: The ``pyspiel.State``.
        player: The player's number.
    """
    numbers: list[float] = []
    if kind.provides_information_state_tensor:
        numbers = state.information_state_tensor(player)
    elif kind.provides_observation_tensor:
        numbers = state.observation_tensor(player)
    return numbers


def text(kind: Any, state: Any, player: int) -> str:
    """Show a player a state as text; empty where the game has none. Arguments as for `tensor`."""
    if kind.provides_observation_string:
        return str(state.observation_string(player))
    return str(state.information_state_string(player)) if kind.provides_information_state_string else ""


def is_mean_field(game: Any) -> bool:
    """Whether a game has no moves of single agents, but of whole populations."""
    return bool(game.get_type().dynamics == pyspiel.GameType.Dynamics.MEAN_FIELD)
