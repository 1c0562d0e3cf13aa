"""Shown code is run code: documents' Python blocks; no block is passed over; tables say what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from openenv_gym.registry.environments import BUILT_IN
from openenv_gym.registry.gymnasium_ids import gymnasium_id
from tests.documents import ROOT, block_parameters, check_block, documents, fences, light_documents

README = ROOT / "README.md"
NO_PYTHON = {"console", "dockerfile", "dotenv", "text"}


@pytest.mark.parametrize("code", block_parameters(light_documents()))
def test_block_runs(code: str, tmp_path: Path) -> None:
    check_block(code, tmp_path)


def test_every_package_has_a_runnable_block() -> None:
    for document in [README, *ROOT.glob("envs/*_env/README.md")]:
        assert any(fence.info == "python" for fence in fences(document)), document


def test_every_block_is_run_or_no_python() -> None:
    for fence in (fence for document in documents() for fence in fences(document)):
        if fence.info:
            assert fence.info in {"python", "python docker", "python fragment", *NO_PYTHON}, fence.place
        else:
            with pytest.raises(SyntaxError):
                ast.parse(fence.code)


def test_what_is_to_be_made_has_a_rule() -> None:
    rules = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in documents():
        shown = set(re.findall(r"(?:^\$ |[`(])make ([a-z-]+)", document.read_text(), re.MULTILINE))
        assert shown <= rules, document


def test_the_readme_lists_every_environment() -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `openenv/")]
    listed = {row.split("`")[1]: row.split("|")[2].strip() for row in rows}
    assert listed == {gymnasium_id(entry): entry.summary for entry in BUILT_IN}
