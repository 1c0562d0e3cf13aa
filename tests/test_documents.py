"""Shown code is run code: the README's and the packages' Python blocks; tables say what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from openenv_gym.registry.environments import BUILT_IN
from openenv_gym.registry.gymnasium_ids import gymnasium_id
from tests.documents import ROOT, block_parameters, check_block, package_readmes, runnable_blocks

README = ROOT / "README.md"
DOCUMENTS = [README, *package_readmes(heavy=False)]


@pytest.mark.parametrize("code", block_parameters(DOCUMENTS))
def test_block_runs(code: str, tmp_path: Path) -> None:
    check_block(code, tmp_path)


def test_every_package_has_a_runnable_block() -> None:
    for document in [README, *ROOT.glob("envs/*_env/README.md")]:
        assert list(runnable_blocks(document)), document


def test_the_readme_lists_every_environment() -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `openenv/")]
    listed = {row.split("`")[1]: row.split("|")[2].strip() for row in rows}
    assert listed == {gymnasium_id(entry): entry.summary for entry in BUILT_IN}
