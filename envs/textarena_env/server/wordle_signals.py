"""Wordle's reward signals, apart from the reward: ``wordle.greens`` and its siblings."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_GUESS = re.compile(r"\[(\w+)\]")


class WordleSignals:
    """Judges the guesses of one game.

    The names are those of OpenEnv's environment: ``wordle.greens`` and ``wordle.yellows``, the part of the
    letters that are in their place or elsewhere in the word; ``wordle.repetitions``, 1 for a new guess and 1
    less for each time it was made before; ``wordle.correct``, the game's reward.
    """

    def __init__(self) -> None:
        self._made: Counter[str] = Counter()

    def judge(self, message: str, history: list[Any], *, valid: bool, reward: float) -> dict[str, float]:
        """Judge one message.

        Args:
            message: What the player said.
            history: The game's list of guesses and feedback, after it.
            valid: Whether the game took it for a guess; otherwise no letter counts.
            reward: The game's reward.
        """
        found = _GUESS.search(message if "[" in message else f"[{message}]")
        guess = found.group(1).lower() if found else ""
        feedback = history[-1][1] if valid and history else []
        before = self._made[guess] if guess else 0
        self._made[guess] += 1
        return {
            "wordle.greens": feedback.count("G") / max(1, len(feedback)),
            "wordle.yellows": feedback.count("Y") / max(1, len(feedback)),
            "wordle.repetitions": 1.0 - before,
            "wordle.correct": reward,
        }
