"""The TextArena environment: word games, puzzles and board games in text, for one player or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openenv_gym.lazy_names import lazy_names
from textarena_env.models import TextArenaAction, TextArenaMessage, TextArenaObservation, TextArenaState

if TYPE_CHECKING:
    from textarena_env.client import TextArenaEnv

__all__ = [
    "TextArenaAction",
    "TextArenaEnv",
    "TextArenaMessage",
    "TextArenaObservation",
    "TextArenaState",
]

__getattr__, __dir__ = lazy_names(__name__, {"TextArenaEnv": "textarena_env.client"})
