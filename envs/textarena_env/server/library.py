"""TextArena, imported on first use, with our words in place of nltk and each game's own random numbers."""

from __future__ import annotations

import functools
import importlib
import logging
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from textarena_env.server.nltk_stand_in import make_modules
from textarena_env.server.scoped_random import NUMPY, PYTHON_RANDOM

logger = logging.getLogger(__name__)

_lock = threading.RLock()
_stand_ins = make_modules()
_FROM_NLTK = {
    "nltk": _stand_ins["nltk"],
    "words": _stand_ins["nltk.corpus"].words,
    "pos_tag": _stand_ins["nltk"].pos_tag,
}
_adopted: set[str] = set()


@functools.cache
def textarena() -> ModuleType:
    """Import TextArena, which takes 0.6 s (5 s with the real nltk)."""
    with _adopting():
        return importlib.import_module("textarena")


def register() -> dict[str, Any]:
    """All game ids, with TextArena's specification of each."""
    specifications: dict[str, Any] = textarena().envs.registration.ENV_REGISTRY
    return specifications


@functools.cache
def game_class(env_id: str) -> Any:
    """Import a game's class; raises whatever its module raises."""
    entry_point = register()[env_id].entry_point
    module, _, name = entry_point.partition(":")
    with _adopting():
        return getattr(importlib.import_module(module), name)


def make_game(env_id: str, options: dict[str, Any]) -> Any:
    """Make a game with TextArena's own wrappers around it."""
    game_class(env_id)
    game = textarena().make(env_id, **options)
    innermost = unwrapped(game)
    if isinstance(getattr(innermost, "word_list", None), list):
        innermost.word_list.sort()  # WordChains' comes from a set, in another order in each process
    return game


def unwrapped(game: Any) -> Any:
    """Take off the wrappers."""
    while isinstance(game, textarena().Wrapper):
        game = game.env
    return game


@contextmanager
def _adopting() -> Iterator[None]:
    """Import modules of TextArena's within the block, and give them what stands in for others."""
    with _lock:
        hidden = {name: sys.modules.get(name) for name in _stand_ins}
        sys.modules.update(_stand_ins)
        try:
            yield
        finally:
            for name, module in hidden.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module
            for name, module in list(sys.modules.items()):
                if name.partition(".")[0] == "textarena" and name not in _adopted:
                    _adopt(module)
                    _adopted.add(name)


def _adopt(module: ModuleType) -> None:
    vars(module)["print"] = _log  # some games print on the server's standard output
    for name, value in list(vars(module).items()):
        if value is random:
            setattr(module, name, PYTHON_RANDOM)
        elif value is np:
            setattr(module, name, NUMPY)
        elif name in _FROM_NLTK:  # the real one's, where somebody has imported TextArena before us
            setattr(module, name, _FROM_NLTK[name])
    if module.__name__ == "textarena.envs.utils.word_lists":
        vars(module).update(
            EnglishDictionary=_share(module.EnglishDictionary),
            _parse_condition=functools.cache(module._parse_condition),  # of 13, asked 390,000 times
        )


def _log(*values: object, **_options: Any) -> None:
    logger.debug(" ".join(map(str, values)))


def _share(dictionary_class: Any) -> Any:
    """Make one dictionary serve all games: building it takes a second and 45 MiB, and nobody writes to it."""

    class SharedDictionary(dictionary_class):  # type: ignore[misc]
        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            return self

        @functools.cached_property
        def _all_words(self) -> frozenset[str]:
            return frozenset(super().get_all_words())

        def get_all_words(self) -> frozenset[str]:
            return self._all_words

    return functools.cache(SharedDictionary)
