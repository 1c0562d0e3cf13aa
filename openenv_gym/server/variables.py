"""Reads what an operator settled by environment variables, for the settings of environments."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TypeVar

from openenv_gym.errors import UsageError

ChoiceT = TypeVar("ChoiceT", bound=str)
_FLAGS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)


class Variables:
    """Environment variables, where an empty one counts as not set and a default is taken as it is.

    >>> Variables({"GIT_COMMAND_SECONDS": "2.5"}).number("GIT_COMMAND_SECONDS", 30.0)
    2.5

    Args:
        values: By default this process's own.

    Raises:
        UsageError: By each method: the variable holds something else; the message names it, and what it may.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        """Any text, as it is."""
        return self._values.get(name) or default

    def word(self, name: str, default: str = "") -> str:
        """Any text, without the white space around it."""
        return self.text(name).strip() or default

    def number(
        self, name: str, default: float, *, least: float | None = None, most: float = math.inf
    ) -> float:
        """A finite number: of at least ``least``, or else above 0."""
        text = self.word(name)
        if not text:
            return default
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        is_enough = number > 0 if least is None else number >= least
        if not (is_enough and number <= most and math.isfinite(number)):
            bounds = "above 0" if least is None else f"of at least {least:g}"
            bounds += "" if most == math.inf else f" and at most {most:g}"
            raise UsageError(f"{name}={text!r}: expected a number {bounds}")
        return number

    def count(self, name: str, default: int, *, least: int = 1) -> int:
        """A whole number of at least ``least``; ``1e9`` is one, too."""
        number = self.number(name, default, least=least)
        if number % 1:
            raise UsageError(f"{name}={self.word(name)!r}: expected a whole number")
        return int(number)

    def flag(self, name: str, default: bool) -> bool:
        """True or false, in the usual ways to write them."""
        text = self.word(name).lower()
        if not text:
            return default
        if text not in _FLAGS:
            raise UsageError(f"{name}={text!r}: expected true or false")
        return _FLAGS[text]

    def choice(self, name: str, default: ChoiceT, choices: Sequence[ChoiceT]) -> ChoiceT:
        """One of several words."""
        text = self.word(name)
        if not text:
            return default
        for word in choices:
            if text == word:
                return word
        raise UsageError(f"{name}={text!r}: expected one of {', '.join(choices)}")
