"""Shown code that does not stand alone, docstrings' and documents' fragments, run in a scene of its own."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.docstrings import docstrings
from tests.documents import fences
from tests.servers import LiveServer


@dataclass(frozen=True)
class Block:
    """Code that is shown somewhere.

    Attributes:
        place: Where: `Docstring.place`, or `Fence.heading`; with a number from the second one there.
        code: What is shown.
        module: In a docstring, the module whose names it may use.
    """

    place: str
    code: str
    module: str | None = None


@dataclass(frozen=True)
class Scene:
    """What the reader of a block has already, and what there is to see when it ran.

    Attributes:
        modules: Modules from which it has every name.
        names: Other names it has.
        servers: Functions that make the apps which are served to it.
        replaced: What the block calls a server or a file, and what that is called here; ``{0.base_url}`` is
            the address of the first server.
        check: Looks at what the block's names stand for afterwards.
        left_open: Which of the names are then to be closed.
    """

    modules: Sequence[str] = ()
    names: Mapping[str, Any] = field(default_factory=dict)
    servers: Sequence[Callable[[], Any]] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Mapping[str, Any]], None] | None = None
    left_open: Sequence[str] = ()

    def play(self, block: Block) -> None:
        """Run a block in this process; ``await`` may stand anywhere in it."""
        names: dict[str, Any] = {"__name__": block.place}
        for module in (*filter(None, [block.module]), *self.modules):
            names |= _names_of(import_module(module))
        names |= self.names
        with ExitStack() as stack:
            servers = [stack.enter_context(LiveServer(make_app())) for make_app in self.servers]
            stack.callback(lambda: [names[name].close() for name in self.left_open if name in names])
            code = block.code
            for shown, here in self.replaced.items():
                assert shown in code, f"{block.place} says nothing of {shown!r} any more"
                code = code.replace(shown, here.format(*servers))
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            result = eval(compile(code, block.place, "exec", flags, dont_inherit=True), names)
            if inspect.iscoroutine(result):
                asyncio.run(result)
            if self.check is not None:
                self.check(names)


def _names_of(module: ModuleType) -> dict[str, Any]:
    found = {*dir(module), *getattr(module, "__all__", ())}  # packages may load names on first use
    return {name: getattr(module, name) for name in found if not name.startswith("__")}


def docstring_blocks() -> Iterator[Block]:
    """Yield what docstrings show after ``::``."""
    for docstring in docstrings():
        for number, code in enumerate(docstring.blocks, 1):
            yield Block(_numbered(docstring.place, number), code, docstring.module)


def fragments(documents: Iterable[Path]) -> Iterator[Block]:
    """Yield the blocks of documents that are marked ``python fragment``."""
    seen: Counter[str] = Counter()
    for document in documents:
        for fence in fences(document):
            if fence.info == "python fragment":
                seen[fence.heading] += 1
                yield Block(_numbered(fence.heading, seen[fence.heading]), fence.code)


def _numbered(place: str, number: int) -> str:
    return place if number == 1 else f"{place}:{number}"
