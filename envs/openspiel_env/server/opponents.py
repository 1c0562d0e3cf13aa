"""Who plays the other seats: policies that choose a move for a player in a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import pyspiel

OpponentName = Literal["random", "first", "last", "mcts"]

#: Chooses a legal move for a player; all that is random about it comes from the generator.
Opponent = Callable[[Any, int, np.random.RandomState], int]

_SIMULATIONS = 200
_EXPLORATION = 2.0
_MEMORY_MB = 64


def find_opponent(name: str, game: Any) -> Opponent:
    """Look up a policy by name.

    Args:
        name: ``random`` (uniform), ``first`` or ``last`` (of the legal moves), or ``mcts`` (a tree search).
        game: The game it is to play.

    Raises:
        ValueError: There is no such policy, or it cannot play this game.
    """
    if name not in _POLICIES:
        known = ", ".join(get_args(OpponentName))
        raise ValueError(f"there is no opponent policy {name!r}; known are {known}")
    if name == "mcts":
        _require_searchable(game)
    return _POLICIES[name]


def _random(state: Any, player: int, rng: np.random.RandomState) -> int:
    legal = state.legal_actions(player)
    return int(legal[rng.randint(len(legal))])


def _first(state: Any, player: int, rng: np.random.RandomState) -> int:
    return int(state.legal_actions(player)[0])


def _last(state: Any, player: int, rng: np.random.RandomState) -> int:
    return int(state.legal_actions(player)[-1])


def _search(state: Any, player: int, rng: np.random.RandomState) -> int:
    """Search anew for each move, so that nothing but the generator carries over from one to the next."""
    evaluator = pyspiel.RandomRolloutEvaluator(n_rollouts=1, seed=_seed(rng))
    bot = pyspiel.MCTSBot(
        state.get_game(),
        evaluator,
        uct_c=_EXPLORATION,
        max_simulations=_SIMULATIONS,
        max_memory_mb=_MEMORY_MB,
        solve=True,
        seed=_seed(rng),
        verbose=False,
    )
    return int(bot.step(state))


def _seed(rng: np.random.RandomState) -> int:
    return int(rng.randint(2**31))


def _require_searchable(game: Any) -> None:
    kind = game.get_type()
    knows_all = kind.information == pyspiel.GameType.Information.PERFECT_INFORMATION
    takes_turns = kind.dynamics == pyspiel.GameType.Dynamics.SEQUENTIAL
    if not (knows_all and takes_turns):
        raise ValueError(
            f"opponent policy 'mcts' searches games of perfect information in which players take turns; "
            f"{kind.short_name} is none: use random, first or last"
        )


_POLICIES: dict[str, Opponent] = {"random": _random, "first": _first, "last": _last, "mcts": _search}
