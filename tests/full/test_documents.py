"""Shown code is run code: the Python blocks that need heavy libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import block_parameters, check_block, heavy_documents
from tests.scenes import blocks_played_in, play
from tests.shown_code import Block


@pytest.mark.parametrize("code", block_parameters(heavy_documents()))
def test_block_runs(code: str, tmp_path: Path) -> None:
    check_block(code, tmp_path)


@pytest.mark.parametrize(
    "block", blocks_played_in("tests/full/test_documents.py"), ids=lambda block: block.place
)
def test_fragment_runs(block: Block) -> None:
    play(block)
