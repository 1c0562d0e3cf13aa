"""A gymnasium ``Text`` space of free Unicode text.

Gymnasium's own holds its characters in tables, so one over all of Unicode takes a second to build and
another to copy, and crashes in shared memory; this one knows its characters by rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import cache
from typing import Any

import gymnasium
import numpy as np

#: Longest text that a space admits when nobody says otherwise, in characters (2^20).
DEFAULT_MAX_LENGTH = 2**20
#: Longest text that is sampled, in characters, unless the space's minimum asks for more.
MAX_SAMPLE_LENGTH = 64

_SURROGATES = range(0xD800, 0xE000)
_NUM_CHARACTERS = 0x110000 - len(_SURROGATES)
_PRINTABLE_ASCII = (ord(" "), ord("~") + 1)
_SHARE_OF_ASCII = 0.9


class UnicodeCharacters(Set[str]):
    """The set of all Unicode characters (code points without the surrogates), in code point order."""

    def __contains__(self, item: object) -> bool:
        return isinstance(item, str) and len(item) == 1 and ord(item) not in _SURROGATES

    def __iter__(self) -> Iterator[str]:
        return iter(_all_characters())

    def __len__(self) -> int:
        return _NUM_CHARACTERS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeCharacters) or super().__eq__(other)

    def __hash__(self) -> int:
        return hash(UnicodeCharacters)


class Text(gymnasium.spaces.Text):
    """All strings of Unicode characters whose length is within bounds.

    Lone surrogates are no characters: they cannot be sent. Samples have at most 64 characters (more only if
    ``min_length`` asks for it): mostly printable ASCII, with some characters from anywhere in Unicode.

    Args:
        max_length: Longest text, in characters (code points), inclusive.
        min_length: Shortest text, inclusive.
        seed: Seed, or generator, of the samples.
    """

    def __init__(
        self,
        max_length: int = DEFAULT_MAX_LENGTH,
        *,
        min_length: int = 0,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if not 0 <= min_length <= max_length:
            raise ValueError(f"Text needs 0 <= min_length <= max_length, got {min_length} and {max_length}")
        self.min_length = int(min_length)
        self.max_length = int(max_length)
        # Not Text's own constructor: that one builds the tables of characters which this class avoids.
        gymnasium.Space.__init__(self, dtype=str, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Draw a text.

        Args:
            mask: ``(length, None)`` to fix the length in characters; masks over characters are not supported.
            probability: The same.

        Raises:
            ValueError: Characters were masked, or the length is out of bounds.
        """
        length = self._masked_length(mask if mask is not None else probability)
        if length is None:
            longest = max(self.min_length, min(self.max_length, MAX_SAMPLE_LENGTH))
            length = int(self.np_random.integers(self.min_length, longest, endpoint=True))
        ascii_codes = self.np_random.integers(*_PRINTABLE_ASCII, size=length)
        any_codes = _codes(self.np_random.integers(_NUM_CHARACTERS, size=length))
        is_ascii = self.np_random.random(length) < _SHARE_OF_ASCII
        return text_of_codes(np.where(is_ascii, ascii_codes, any_codes))

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string of admissible length without lone surrogates."""
        if not isinstance(x, str) or not self.min_length <= len(x) <= self.max_length:
            return False
        return x.isascii() or is_unicode(x)

    def contains_each(self, texts: Sequence[str]) -> bool:
        """Whether each of these strings, at least one, is in the space."""
        lengths = list(map(len, texts))
        if min(lengths) < self.min_length or max(lengths) > self.max_length:
            return False
        return all(map(str.isascii, texts)) or all(map(is_unicode, texts))

    @property
    def blank(self) -> str:
        """A shortest element: what a batch holds before it gets its first."""
        return " " * self.min_length

    @property
    def character_set(self) -> Any:
        """All Unicode characters, as a set that is not materialised."""
        return UnicodeCharacters()

    @property
    def character_list(self) -> tuple[str, ...]:
        """All Unicode characters in code point order (built at first use: 1.1 million)."""
        return tuple(_all_characters())

    @property
    def characters(self) -> str:
        """All Unicode characters as one string (built at first use)."""
        return _all_characters()

    def character_index(self, char: str) -> np.int32:
        """The character's place in :attr:`character_list`."""
        return np.int32(index_array(char)[0])

    def __repr__(self) -> str:
        return f"Text({self.min_length}, {self.max_length}, charset=Unicode)"

    def __eq__(self, other: object) -> bool:
        return (
            type(other) is type(self)
            and self.min_length == other.min_length
            and self.max_length == other.max_length
        )

    __hash__ = None  # type: ignore[assignment]  # like every gymnasium space

    def _masked_length(self, mask: Any) -> int | None:
        if mask is None:
            return None
        length, characters = mask
        if characters is not None:
            raise ValueError("free Unicode text cannot be sampled with a mask over its characters")
        if length is None:
            return None
        if not self.min_length <= length <= self.max_length:
            raise ValueError(f"length must be within [{self.min_length}, {self.max_length}], got {length}")
        return int(length)


def is_unicode(text: str) -> bool:
    """Whether a string has no lone surrogates, that is, can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def index_array(text: str) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Each character's index among all Unicode characters, shape ``(len(text),)``."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<i4").astype(np.int32)
    codes[codes >= _SURROGATES.stop] -= len(_SURROGATES)
    return codes


def text_of_indices(indices: np.ndarray[Any, Any]) -> str:
    """The text whose characters have these indices; those beyond the last character are padding."""
    return text_of_codes(_codes(indices[indices < _NUM_CHARACTERS].astype(np.int64)))


def text_of_codes(codes: np.ndarray[Any, Any]) -> str:
    """The text of these code points."""
    return codes.astype("<i4").tobytes().decode("utf-32-le")


def _codes(indices: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.where(indices >= _SURROGATES.start, indices + len(_SURROGATES), indices)


@cache
def _all_characters() -> str:
    return text_of_indices(np.arange(_NUM_CHARACTERS))
