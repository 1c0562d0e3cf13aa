"""The games there are: their ids, the options they take, and why some cannot be played here."""

from __future__ import annotations

import difflib
import inspect
import sys
from typing import Any

from textarena_env.server.library import game_class, register, textarena

_BROKEN = ("CharacterConclave-",)


class UnplayableGameError(ValueError):
    """A game that is unknown, or that this server cannot play; the message says why."""


def find_game(env_id: str) -> None:
    """Check that a game can be played here.

    Raises:
        UnplayableGameError: It cannot.
    """
    if env_id not in register():
        similar = difflib.get_close_matches(env_id, register(), n=4, cutoff=0.4)
        hint = f"did you mean {', '.join(similar)}?" if similar else "for example Wordle-v0 or TicTacToe-v0"
        raise UnplayableGameError(
            f"TextArena has no game {env_id!r}: {hint} ({len(register())} ids are known)"
        )
    if env_id.startswith(_BROKEN):
        raise UnplayableGameError(f"{env_id} of TextArena {textarena().__version__} fails at every message")
    try:
        game_class(env_id)
    except SyntaxError as error:
        python = ".".join(map(str, sys.version_info[:2]))
        raise UnplayableGameError(
            f"{env_id} of TextArena {textarena().__version__} is no valid Python {python} ({error.msg}); "
            "several of its games are written for 3.12"
        ) from None
    except (ImportError, AttributeError) as error:
        raise UnplayableGameError(f"{env_id} needs what is not installed: {error}") from error


def check_options(env_id: str, options: dict[str, Any]) -> None:
    """Check a game's own options by name.

    Raises:
        UnplayableGameError: The game takes no such option.
    """
    taken = _options(env_id)
    if unknown := [name for name in options if name not in taken]:
        listed = ", ".join(taken) or "none"
        raise UnplayableGameError(f"{env_id} takes no option {', '.join(unknown)}; its options: {listed}")


def takes(env_id: str, option: str) -> bool:
    """Whether a game has an option of its own of this name."""
    return option in _options(env_id)


def _options(env_id: str) -> list[str]:
    return [name for name in inspect.signature(game_class(env_id)).parameters if name != "jury_class"]
