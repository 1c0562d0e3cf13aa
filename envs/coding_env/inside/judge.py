"""Read code and say what a reviewer would frown at; never runs it.

In a process of its own because parsing holds Python's lock for as long as the code is long, and deep nesting
has crashed parsers before. What is looked for is what OpenEnv's coding environment looks for.
"""

from __future__ import annotations

import ast
import os
import re

from coding_env.inside.channel import Channel

VIOLATIONS = ("", "import os", "import subprocess", "eval", "exec", "__import__", "open")
"""What a verdict's low bits count through; the first means that there is none."""
UNPARSABLE = 8
"""This bit of a verdict: the code is no Python."""

_MODULES = frozenset({"os", "subprocess"})
_CALLS = frozenset({"eval", "exec", "open", "__import__"})
# For code that cannot be parsed, in the order in which they are looked for.
_PATTERNS = {
    "import os": re.compile(r"\bimport\s+os\b"),
    "import subprocess": re.compile(r"\bimport\s+subprocess\b"),
    "eval": re.compile(r"\beval\s*\("),
    "exec": re.compile(r"\bexec\s*\("),
    "__import__": re.compile(r"\b__import__\s*\("),
    "open": re.compile(r"\bopen\s*\("),
}


def judge(code: str) -> int:
    """The verdict: an index into `VIOLATIONS`, plus `UNPARSABLE`."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return judge_text(code)
    found = next(filter(None, map(_violation, ast.walk(tree))), "")
    return VIOLATIONS.index(found)


def judge_text(code: str) -> int:
    """The verdict on code that cannot be parsed."""
    found = next((name for name, pattern in _PATTERNS.items() if pattern.search(code)), "")
    return UNPARSABLE | VIOLATIONS.index(found)


def _violation(node: ast.AST) -> str:
    match node:
        case ast.Import(names=names):
            imported = [alias.name.partition(".")[0] for alias in names]
            return next((f"import {module}" for module in imported if module in _MODULES), "")
        case ast.ImportFrom(module=str(name)) if name.partition(".")[0] in _MODULES:
            return f"import {name.partition('.')[0]}"
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            return name
        case ast.Call(func=ast.Attribute(attr="open")):
            return "open"
    return ""


def main() -> None:
    """Serve on the socket that is standard input."""
    channel = Channel()
    channel.reply(0, 0)
    while (request := channel.receive()) is not None:
        number, _operation, code = request
        channel.reply(number, judge(code))
    os._exit(0)
