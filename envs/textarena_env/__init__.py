"""The TextArena environment: word games, puzzles and board games in text, for one player or several."""

from textarena_env.client import TextArenaEnv
from textarena_env.models import TextArenaAction, TextArenaMessage, TextArenaObservation, TextArenaState

__all__ = [
    "TextArenaAction",
    "TextArenaEnv",
    "TextArenaMessage",
    "TextArenaObservation",
    "TextArenaState",
]
