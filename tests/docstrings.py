"""Docstrings, and the code that they show: after ``>>>``, or indented after ``::``."""

from __future__ import annotations

import ast
import doctest
import functools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from tests.documents import ROOT

_FOLDERS = ("openenv_gym", "envs")  # whose docstrings show how to use what they describe
_ELSEWISE = re.compile(r"```|~~~|^ *\.\. |^ *Examples?:|doctest: *\+SKIP", re.MULTILINE)
_Described = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Docstring:
    """One docstring.

    Attributes:
        place: Its file and whose it is, as in ``openenv_gym/client/env_client.py:EnvClient``.
        module: The module that it stands in.
        text: What it says, without the indentation that all lines have.
    """

    place: str
    module: str
    text: str

    @property
    def blocks(self) -> list[str]:
        """What it shows after ``::``."""
        return [code for announced, code in _indented(self.text) if announced]

    @property
    def hidden(self) -> list[str]:
        """What looks like code shown in some other way, which nothing would run."""
        unannounced = [code for announced, code in _indented(self.text) if not announced]
        return [*unannounced, *_ELSEWISE.findall(self.text)]

    def run_examples(self) -> None:
        """Run what it shows after ``>>>``; what it says of the results must be true."""
        names = dict(vars(import_module(self.module)))
        test = doctest.DocTestParser().get_doctest(self.text, names, self.place, self.place, 0)
        told: list[str] = []
        done = doctest.DocTestRunner(verbose=False).run(test, out=told.append)
        assert done.attempted and not done.failed, "".join(told)


@functools.cache
def docstrings() -> tuple[Docstring, ...]:
    """Every docstring of the library and the environments' packages, private ones too."""
    return tuple(_docstrings())


def _docstrings() -> Iterator[Docstring]:
    for folder in _FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            path = file.relative_to(ROOT / "envs" if folder == "envs" else ROOT)
            module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
            for name, text in _described(ast.parse(file.read_text())):
                place = str(file.relative_to(ROOT)) + (f":{name}" if name else "")
                yield Docstring(place, module, text)


def _described(node: ast.AST, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield all docstrings below a node, each with the dotted name of what it describes."""
    if isinstance(node, _Described) and (text := ast.get_docstring(node)) is not None:
        yield name, text
    for child in ast.iter_child_nodes(node):
        own = getattr(child, "name", "") if isinstance(child, _Described) else ""
        yield from _described(child, f"{name}.{own}".strip("."))


def _indented(text: str) -> Iterator[tuple[bool, str]]:
    """Yield lines that stand deeper than what they follow after an empty line or ``::``, and whether by that.

    A section's entries and a list's second lines follow at once, and are none.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    before, apart = "", False
    number = 0
    while number < len(lines):
        line = lines[number]
        announced = before.endswith("::")
        if line and (apart or announced) and _depth(line) > _depth(before):
            first = number
            while number < len(lines) and (not lines[number] or _depth(lines[number]) > _depth(before)):
                number += 1
            yield announced, textwrap.dedent("\n".join(lines[first:number])).strip() + "\n"
            before, apart = before[: _depth(before)], True
            continue
        apart = not line
        before = line or before
        number += 1


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
