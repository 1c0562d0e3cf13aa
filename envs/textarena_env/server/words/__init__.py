"""English words for TextArena's word games: shipped beside this file, never downloaded."""

from __future__ import annotations

import functools
from importlib.resources import files


@functools.cache
def english() -> tuple[str, ...]:
    """All words, in alphabetical order."""
    return tuple(_marked_words())


@functools.cache
def common_nouns() -> tuple[str, ...]:
    """The nouns that games choose as secrets, in alphabetical order."""
    return tuple(word for word, mark in _marked_words().items() if mark == "N")


@functools.cache
def nouns() -> frozenset[str]:
    """All nouns, the common ones among them."""
    return frozenset(word for word, mark in _marked_words().items() if mark)


@functools.cache
def _marked_words() -> dict[str, str]:
    text = files(__name__).joinpath("words.txt").read_text("utf-8")
    lines = (line.partition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {word: mark for word, _, mark in lines}
