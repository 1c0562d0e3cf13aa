"""Games by name and parameters, with what makes a game that cannot be played here refused by name."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyspiel

from openenv_gym.engines.open_spiel_states import is_mean_field, tensor_size

_TRIAL = Path(__file__).with_name("game_trial.py")
_TRIAL_TIMEOUT = 20.0
_MAX_PARAMETERS = 32
_MAX_TEXT = 4096
_NAME = re.compile(r"[a-z0-9_]+")
# Games that read what they are told to would show their players files of the server.
_FILE_PARAMETER = re.compile(r"file|path|root|dir", re.IGNORECASE)

_one_trial = threading.Lock()


@functools.lru_cache(maxsize=64)
def load_game(description: str) -> Any:
    """Load a game that whoever runs the server has chosen.

    Args:
        description: OpenSpiel's own notation: ``tic_tac_toe``, ``hex(board_size=5)``,
            ``turn_based_simultaneous_game(game=goofspiel())``.

    Raises:
        ValueError: There is no such game, or it cannot be played here.
    """
    try:
        game = pyspiel.load_game(description)
    except (pyspiel.SpielError, IndexError) as error:  # C++'s own out_of_range is the latter
        raise ValueError(
            f"OpenSpiel cannot load the game {description!r:.200}: {_first_line(error)}"
        ) from None
    return _playable(game)


def load_asked_game(name: str, parameters: Mapping[str, Any]) -> Any:
    """Load a game that a client asks for.

    Many games take parameters on trust, and end the process over a negative board; so parameters are tried in
    another process first. None of them may name a file.

    Args:
        name: OpenSpiel's short name of a registered game.
        parameters: Its parameters: numbers, booleans and text.

    Raises:
        ValueError: There is no such game, a parameter is refused, or the game with them cannot be played.
    """
    if not _NAME.fullmatch(name) or name not in registered_names():
        known = ", ".join(registered_names())
        raise ValueError(f"OpenSpiel has no game {name!r:.80}; its games are {known}")
    if not parameters:
        return load_game(name)
    _check_parameters(parameters)
    return _load_tried_game(name, json.dumps(parameters, sort_keys=True))


@functools.cache
def registered_names() -> tuple[str, ...]:
    """The short names of OpenSpiel's games."""
    return tuple(sorted(kind.short_name for kind in pyspiel.registered_games()))


def described_parameters(description: str) -> dict[str, Any]:
    """The parameters that OpenSpiel's notation for a game names: those in its parentheses."""
    parameters: dict[str, Any] = pyspiel.game_parameters_from_string(description)
    del parameters["name"]
    return parameters


@functools.lru_cache(maxsize=256)
def _load_tried_game(name: str, parameters: str) -> Any:
    with _one_trial:  # a flood of new parameters must not become a flood of processes
        try:
            trial = subprocess.run(
                [sys.executable, "-I", str(_TRIAL), name, parameters],
                capture_output=True,
                text=True,
                timeout=_TRIAL_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"{name} with the parameters {parameters} plays too slowly") from None
    if trial.returncode != 0:
        reason = trial.stdout.strip() or f"it ended the process that tried it ({trial.returncode})"
        raise ValueError(f"{name} cannot be played with the parameters {parameters}: {reason}")
    return _playable(pyspiel.load_game(name, json.loads(parameters)))


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    if len(parameters) > _MAX_PARAMETERS:
        raise ValueError(f"{len(parameters)} game parameters are too many: at most {_MAX_PARAMETERS}")
    for name, value in parameters.items():
        if not isinstance(value, bool | int | float | str):
            raise ValueError(f"game parameter {name} is a {type(value).__name__}: give a number or text")
        if isinstance(value, str) and len(value) > _MAX_TEXT:
            raise ValueError(f"game parameter {name} is too long: at most {_MAX_TEXT} characters")
        if _FILE_PARAMETER.search(name) or (isinstance(value, str) and _FILE_PARAMETER.search(value)):
            raise ValueError(f"game parameter {name} may name a file of the server: that is not allowed here")


def _playable(game: Any) -> Any:
    name = game.get_type().short_name
    if is_mean_field(game):
        raise ValueError(f"{name} is a mean field game, which has no moves of one agent")
    try:
        tensor_size(game)
    except pyspiel.SpielError as error:
        raise ValueError(f"{name} cannot be played: {_first_line(error)}") from None
    return game


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
