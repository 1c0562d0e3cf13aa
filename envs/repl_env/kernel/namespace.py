"""The user's variables: what the kernel puts there, which there are, which a cell changed."""

from __future__ import annotations

import random
import re
import reprlib
from types import ModuleType
from typing import Any

_MAX_REPORTED = 50
_MAX_CHARACTERS = 500

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # differs from kernel to kernel, and tells nothing

_texts = reprlib.Repr()
_texts.maxstring = _texts.maxother = _texts.maxlong = _MAX_CHARACTERS
_texts.maxlist = _texts.maxtuple = _texts.maxdict = _texts.maxset = _texts.maxfrozenset = 40


class Namespace:
    """The variables of one IPython shell.

    Args:
        shell: The shell.
    """

    def __init__(self, shell: Any) -> None:
        self._variables: dict[str, Any] = shell.user_ns
        self._hidden: dict[str, Any] = shell.user_ns_hidden
        self._seen: dict[str, str] = {}
        self._final: str | None = None

    def prepare(self, context: str | None, seed: int | None) -> None:
        """Put in what every episode has, and seed the generators that programs use without asking."""
        helpers = {"FINAL": self._declare, "FINAL_VAR": self._declare_variable, "SHOW_VARS": self.names}
        self._variables.update(helpers)
        self._hidden.update(helpers)
        self._variables["answer"] = {"content": "", "ready": False}
        if context is not None:
            self._variables["context"] = context
        if seed is not None:
            random.seed(seed)
            try:
                import numpy as np
            except ImportError:
                pass  # nothing to seed
            else:
                np.random.seed(seed % 2**32)
        self.report()  # nothing of this is news to the first cell

    def report(self) -> dict[str, Any]:
        """Say which variables there are, which are new or changed since the last report, and the answer."""
        names = self.names()
        texts = {name: _text(self._variables[name]) for name in names[:_MAX_REPORTED]}
        changed = {name: text for name, text in texts.items() if self._seen.get(name) != text}
        self._seen = texts
        answer = self._variables.get("answer")
        ready = isinstance(answer, dict) and bool(answer.get("ready"))
        return {
            "names": names,
            "changed": changed,
            "final": self._final,
            "ready": ready,
            "content": str(answer.get("content", "")) if isinstance(answer, dict) else "",
        }

    def names(self) -> list[str]:
        """The names of the user's own variables, sorted."""
        return sorted(
            name
            for name, value in self._variables.items()
            if not name.startswith("_")
            and not (name in self._hidden and self._hidden[name] is value)
            and not isinstance(value, ModuleType)
        )

    def text(self, name: str) -> str | None:
        """A variable as ``str()`` has it; None if there is none."""
        return str(self._variables[name]) if name in self._variables else None

    def _declare(self, value: Any) -> str:
        """FINAL(value): this is the final answer."""
        self._final = str(value)
        return f"FINAL({self._final})"

    def _declare_variable(self, name: str) -> str:
        """FINAL_VAR("name"): the final answer is in the variable of that name."""
        name = str(name).strip().strip("\"'")
        found = self.text(name)
        return f"FINAL_VAR({name})" if found is None else self._declare(found)


def _text(value: Any) -> str:
    try:
        return _ADDRESS.sub("", _texts.repr(value)[:_MAX_CHARACTERS])
    except Exception as error:  # noqa: BLE001 - the user's own __repr__ may raise anything
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
