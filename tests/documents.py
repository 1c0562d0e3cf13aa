"""Blocks of Markdown files, and what running a Python one must show."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"^(?P<fence> *(?:```|~~~))(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=fence) *$", re.M | re.S)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PROMISE = re.compile(r"print\(.*\)  # (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A fenced block.

    Attributes:
        place: Its file and line, as in ``README.md:27``.
        heading: What it stands under, with the file, as in ``README.md#Clients``.
        info: What it is said to be: "python" stands alone, "python docker" does so beside an engine with
            images, "python fragment" needs what the text around it speaks of; all others are no Python.
        code: What it holds.
    """

    place: str
    heading: str
    info: str
    code: str


def is_heavy(package: Path) -> bool:
    """Whether an environment's package is installed only by ``make test-all``."""
    return (ROOT / "tests/full/envs" / package.name.removesuffix("_env")).is_dir()


def documents() -> list[Path]:
    """Every Markdown file of the repository; not what links lead to."""
    folders = ("benchmarks", "envs", "openenv_gym", "servers", "tests")
    found = [*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*.md"))]
    return sorted(path for path in found if not path.is_symlink())


def light_documents() -> list[Path]:
    """Those whose blocks need nothing but what ``make test`` installs."""
    return [path for path in documents() if not is_heavy(path.parent)]


def heavy_documents() -> list[Path]:
    """The others."""
    return [path for path in documents() if is_heavy(path.parent)]


def fences(document: Path) -> Iterator[Fence]:
    """Yield every fenced block of a document."""
    text = document.read_text()
    name = document.relative_to(ROOT)
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        heading = _HEADING.findall(_FENCE.sub("", before))[-1]
        line = before.count("\n") + 1
        yield Fence(f"{name}:{line}", f"{name}#{heading}", match["info"].strip(), match["code"])


def block_parameters(shown: Iterable[Path], info: str = "python") -> list[object]:
    """Every block of this kind in the documents as a pytest parameter named by file and line."""
    return [
        pytest.param(fence.code, id=fence.place)
        for document in shown
        for fence in fences(document)
        if fence.info == info
    ]


def check_block(code: str, folder: Path) -> None:
    """Run a block in a process of its own; what its ``print(...)  # comments`` promise must be printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for printed in _PROMISE.findall(code):
        assert printed in done.stdout, "what the comment promises"
