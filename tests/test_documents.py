"""Shown code is run code: the README's and the packages' Python blocks, each in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("envs/*_env/README.md"))]
BLOCK = re.compile(r"^```python( notest)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[object]:
    for document in DOCUMENTS:
        text = document.read_text()
        for match in BLOCK.finditer(text):
            if match[1] is None:
                line = text.count("\n", 0, match.start()) + 1
                yield pytest.param(match[2], id=f"{document.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize("code", list(blocks()))
def test_block_runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for printed in re.findall(r"print\(.*\)  # (.+)$", code, re.MULTILINE):
        assert printed in done.stdout, "what the comment promises"


def test_every_package_has_a_runnable_block() -> None:
    for document in DOCUMENTS:
        runnable = [match for match in BLOCK.finditer(document.read_text()) if match[1] is None]
        assert runnable, document
