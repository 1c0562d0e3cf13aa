"""Python blocks of Markdown files, and what running one of them must show."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```python(?: (notest|docker))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMISE = re.compile(r"print\(.*\)  # (.+)$", re.MULTILINE)


def is_heavy(package: Path) -> bool:
    """Whether an environment's package is installed only by ``make test-all``."""
    return (ROOT / "tests/full/envs" / package.name.removesuffix("_env")).is_dir()


def package_readmes(*, heavy: bool) -> list[Path]:
    """The READMEs of the environments that the running kind of tests has installed."""
    return [
        readme for readme in sorted(ROOT.glob("envs/*_env/README.md")) if is_heavy(readme.parent) == heavy
    ]


def runnable_blocks(document: Path, mark: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield each block of this mark, with its line: "docker" needs an engine, "notest" something else."""
    text = document.read_text()
    for match in _BLOCK.finditer(text):
        if match[1] == mark:
            yield text.count("\n", 0, match.start()) + 1, match[2]


def block_parameters(documents: Iterable[Path], mark: str | None = None) -> list[object]:
    """Every block of this mark in the documents as a pytest parameter named by file and line."""
    return [
        pytest.param(code, id=f"{document.relative_to(ROOT)}:{line}")
        for document in documents
        for line, code in runnable_blocks(document, mark)
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
