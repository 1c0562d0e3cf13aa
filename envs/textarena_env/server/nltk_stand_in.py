"""What TextArena's word games ask of nltk, answered from our own word list.

The real one takes seconds to import, and its words and its tagger would have to be downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from textarena_env.server.words import common_nouns, english, nouns

_NOUN, _OTHER = "NN", "X"


class _Words:
    """The corpus ``nltk.corpus.words``."""

    def words(self, fileids: str | None = None) -> list[str]:
        """List the words of ``"en"`` or ``"en-basic"``, by default the former's."""
        return list(common_nouns() if fileids == "en-basic" else english())


def _tag(tokens: Iterable[str]) -> list[tuple[str, str]]:
    return [(token, _NOUN if token in nouns() else _OTHER) for token in tokens]


def _download(*_names: Any, **_options: Any) -> bool:
    """There is nothing to download."""
    return True


def make_modules() -> dict[str, ModuleType]:
    """Make ``nltk`` and ``nltk.corpus``."""
    nltk, corpus = ModuleType("nltk"), ModuleType("nltk.corpus")
    vars(corpus).update(words=_Words())
    vars(nltk).update(corpus=corpus, pos_tag=_tag, download=_download)
    return {"nltk": nltk, "nltk.corpus": corpus}
