"""Imports go down only (DESIGN section 1): the rows, from the top, and who may import whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import openenv_gym

ROWS = [
    {"cli", "integrations"},
    {"registry", "testing", "web"},
    {"adapters", "engines"},
    {"client", "server"},
    {"wire", "transport", "providers", "images", "spaces", "sandbox", "tools"},
    {"errors", "models", "lazy_names", "lazy_numpy"},
]
# The package's own __init__ is the public surface: it stands above all rows.
ROOT = Path(openenv_gym.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def part_of(module: str) -> str | None:
    """The second name of ``openenv_gym.<part>...``."""
    names = module.split(".")
    return names[1] if names[0] == "openenv_gym" and len(names) > 1 else None


def imported_parts(path: Path) -> Iterator[tuple[int, str]]:
    """Every part a file imports, at whatever depth of the file, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            modules = [node.module or ""]
            if node.module == "openenv_gym":
                modules = [f"openenv_gym.{alias.name}" for alias in node.names]
        for module in modules:
            if (part := part_of(module)) is not None:
                yield node.lineno, part


def row_of(part: str) -> int:
    for number, row in enumerate(ROWS):
        if part in row:
            return number
    raise AssertionError(f"openenv_gym.{part} stands in no row: add it to DESIGN's layers and to ROWS")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for line, part in imported_parts(path):
        if part == own:
            continue
        lower = row_of(part) > row_of(own)
        # errors and models share a row and are the vocabulary of all; neither may know the other.
        assert lower, f"{path}:{line}: {own} imports {part}, which is not below it"


def test_every_part_exists_or_is_planned() -> None:
    """A part that no row names fails above; here the rows themselves hold no misspelling of a part."""
    present = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert present <= set().union(*ROWS)
