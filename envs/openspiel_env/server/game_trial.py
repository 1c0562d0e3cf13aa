"""Tries a game with given parameters: ``python -I game_trial.py NAME JSON`` exits with 0 if it can be played.

A script for a process of its own, which bad parameters may end in any way.
"""

from __future__ import annotations

import json
import random
import resource
import sys

import pyspiel

_MAX_SIZE = 2**20
_MAX_MOVES = 500
_MEMORY_BYTES = 4 * 2**30
_CPU_SECONDS = 10


def main(name: str, parameters: str) -> str | None:
    """Play one random game; returns what speaks against playing another."""
    game = pyspiel.load_game(name, json.loads(parameters))
    kind = game.get_type()
    if kind.provides_information_state_tensor:
        size = game.information_state_tensor_size()
    else:
        size = game.observation_tensor_size() if kind.provides_observation_tensor else 0
    if max(size, game.num_distinct_actions()) > _MAX_SIZE:
        return f"it has more than {_MAX_SIZE} actions or numbers to show"
    if game.num_players() < 1:
        return "it has no players"
    state = game.new_initial_state()
    for _ in range(_MAX_MOVES):
        _show(state, kind, game.num_players())
        if state.is_terminal():
            break
        _move(state, game.num_players())
    return None


def _show(state: pyspiel.State, kind: pyspiel.GameType, num_players: int) -> None:
    if state.is_chance_node():
        return
    state.rewards()
    for player in range(num_players):
        if kind.provides_information_state_tensor:
            state.information_state_tensor(player)
        elif kind.provides_observation_tensor:
            state.observation_tensor(player)
        if kind.provides_observation_string:
            state.observation_string(player)


def _move(state: pyspiel.State, num_players: int) -> None:
    if state.is_chance_node():
        outcomes, probabilities = zip(*state.chance_outcomes(), strict=True)
        state.apply_action(random.choices(outcomes, probabilities)[0])
    elif state.is_simultaneous_node():
        state.apply_actions([random.choice(state.legal_actions(p) or [0]) for p in range(num_players)])
    else:
        state.apply_action(random.choice(state.legal_actions()))


if __name__ == "__main__":
    random.seed(0)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    try:
        objection = main(*sys.argv[1:])
    except (pyspiel.SpielError, MemoryError, IndexError, TypeError) as error:
        objection = str(error).partition("\n")[0] or type(error).__name__
    if objection:
        print(objection)
        sys.exit(1)
