"""Where a cell's output gives the final answer: the conventions of recursive language models."""

from __future__ import annotations

import re
from collections.abc import Callable

from repl_env.server.cell import Cell

_FINAL = "FINAL("
_FINAL_VAR = re.compile(r"FINAL_VAR\(\s*[\"']?(\w+)[\"']?\s*\)")


def final_answer(cell: Cell, text_of: Callable[[str], str | None]) -> str | None:
    """The answer that a cell gave; None if it gave none.

    A cell gives it by calling ``FINAL(value)`` or ``FINAL_VAR("name")``, by printing ``FINAL(...)`` or
    ``FINAL_VAR(name)``, or by setting ``answer["ready"]``.

    Args:
        cell: What it did.
        text_of: Gives a variable as text.
    """
    namespace = cell.namespace
    if namespace.final is not None:
        return namespace.final.strip()
    printed = cell.stdout
    if (found := _printed(printed)) is not None:
        return found
    if (named := _FINAL_VAR.search(printed)) and (value := text_of(named[1])) is not None:
        return value
    return namespace.content if namespace.ready else None


def _printed(text: str) -> str | None:
    """What stands between ``FINAL(`` and its closing parenthesis; parentheses inside are counted."""
    begin = text.find(_FINAL)
    if begin < 0:
        return None
    inside = text[begin + len(_FINAL) :]
    depth = 1
    for at, character in enumerate(inside):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return inside[:at].strip()
    end = inside.find(")")  # parentheses that do not pair: a smiley, say
    return None if end < 0 else inside[:end].strip()
