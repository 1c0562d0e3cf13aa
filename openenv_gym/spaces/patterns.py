"""Texts that match a regular expression, for sampling strings that a schema gives a ``pattern``."""

from __future__ import annotations

import re
import string
from collections.abc import Callable

import numpy as np

from openenv_gym.errors import SchemaError

_Draw = Callable[[], str]

_DIGITS = string.digits
_WORD = string.ascii_letters + string.digits + "_"
_SPACE = " \t"
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_CLASSES = {
    "d": _DIGITS,
    "w": _WORD,
    "s": _SPACE,
    "D": "".join(sorted(set(_PRINTABLE) - set(_DIGITS))),
    "W": "".join(sorted(set(_PRINTABLE) - set(_WORD))),
    "S": "".join(sorted(set(_PRINTABLE) - set(_SPACE))),
}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_ANCHORS = "AZzbB"
_MAX_EXTRA_REPEATS = 4
_MAX_DRAWS = 100


def draw_match(pattern: str, rng: np.random.Generator) -> str:
    """Draw a text that a regular expression matches from its first character to its last.

    Understood is what patterns of names and codes are made of: literals, escapes, classes, groups,
    alternation, repetition, and anchors at the ends. Lookahead, lookbehind and word boundaries are only
    checked afterwards, so they must leave most texts alone.

    Raises:
        SchemaError: The pattern uses something else (back-references, properties), or is malformed.
    """
    parser = _Pattern(pattern, rng)
    draw = parser.alternation()
    if not parser.at_end():
        raise parser.error("unbalanced parenthesis")
    if not parser.has_assertions:
        return draw()
    for _ in range(_MAX_DRAWS):
        text = draw()
        if _is_match(pattern, text):
            return text
    raise parser.error(f"{_MAX_DRAWS} attempts failed")


def _is_match(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


class _Pattern:
    """A recursive-descent parser whose rules return what draws a matching text."""

    def __init__(self, pattern: str, rng: np.random.Generator) -> None:
        self._pattern = pattern
        self._position = 0
        self._rng = rng
        self.has_assertions = False

    def at_end(self) -> bool:
        return self._position >= len(self._pattern)

    def error(self, reason: str) -> SchemaError:
        return SchemaError(f"no text can be made up for the pattern {self._pattern!r}: {reason}")

    def alternation(self) -> _Draw:
        branches = [self._sequence()]
        while self._accept("|"):
            branches.append(self._sequence())
        return lambda: branches[int(self._rng.integers(len(branches)))]()

    def _sequence(self) -> _Draw:
        parts: list[_Draw] = []
        while not self.at_end() and self._peek() not in "|)":
            atom = self._atom()
            parts.append(self._repeated(atom))
        return lambda: "".join(part() for part in parts)

    def _atom(self) -> _Draw:
        character = self._next()
        if character in "^$":
            return lambda: ""
        if character == "(":
            return self._group()
        if character == "[":
            return self._one_of(self._character_class())
        if character == ".":
            return self._one_of(_PRINTABLE)
        if character == "\\":
            return self._anchor() if self._peek() in _ANCHORS else self._one_of(self._escape())
        if character in "*+?{":
            raise self.error(f"nothing to repeat before {character!r}")
        return lambda: character

    def _anchor(self) -> _Draw:
        self.has_assertions |= self._next() in "bB"
        return lambda: ""

    def _group(self) -> _Draw:
        is_assertion = False
        if self._accept("?"):
            is_assertion = any(map(self._accept, ("=", "!", "<=", "<!")))
            if not is_assertion and (self._accept("P<") or self._accept("<")):
                while self._next() != ">":
                    pass
            elif not is_assertion and not self._accept(":"):
                raise self.error("only plain, named and (?:...) groups and assertions are understood")
        draw = self.alternation()
        if not self._accept(")"):
            raise self.error("a group is not closed")
        self.has_assertions |= is_assertion
        return (lambda: "") if is_assertion else draw

    def _character_class(self) -> str:
        is_negated = self._accept("^")
        members: set[str] = set()
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            low = self._class_member()
            if len(low) == 1 and self._peek() == "-" and not self._pattern.startswith("-]", self._position):
                self._next()
                high = self._class_member()
                members.update(map(chr, range(ord(low), ord(high) + 1)))
            else:
                members.update(low)
        self._next()
        allowed = set(_PRINTABLE) - members if is_negated else members
        if not allowed:
            raise self.error("an empty character class")
        return "".join(sorted(allowed))

    def _class_member(self) -> str:
        character = self._next()
        return self._escape() if character == "\\" else character

    def _escape(self) -> str:
        character = self._next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in "xu":
            digits = "".join(self._next() for _ in range(2 if character == "x" else 4))
            return chr(int(digits, 16))
        if character.isalnum():
            raise self.error(f"\\{character} is not understood")
        return character

    def _repeated(self, atom: _Draw) -> _Draw:
        if self.at_end():
            return atom
        bounds = self._bounds()
        if bounds is None:
            return atom
        self._accept("?")  # lazy repetition admits the same texts
        fewest, most = bounds
        most = fewest + _MAX_EXTRA_REPEATS if most is None else most
        return lambda: "".join(atom() for _ in range(int(self._rng.integers(fewest, most, endpoint=True))))

    def _bounds(self) -> tuple[int, int | None] | None:
        """Parse what may follow an atom: ``*``, ``+``, ``?`` or ``{m,n}``."""
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._accept(sign):
                return bounds
        if not self._accept("{"):
            return None
        text = ""
        while (character := self._next()) != "}":
            text += character
        fewest, comma, most = text.partition(",")
        try:
            low = int(fewest or 0)
            return low, (int(most) if most else None) if comma else low
        except ValueError:
            raise self.error(f"{{{text}}} is no repetition") from None

    def _one_of(self, characters: str) -> _Draw:
        return lambda: characters[int(self._rng.integers(len(characters)))]

    def _peek(self) -> str:
        if self.at_end():
            raise self.error("it ends too early")
        return self._pattern[self._position]

    def _next(self) -> str:
        character = self._peek()
        self._position += 1
        return character

    def _accept(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._position):
            return False
        self._position += len(text)
        return True
