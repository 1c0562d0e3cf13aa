"""Shown code is run code: the Python blocks of the packages that need heavy libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents import block_parameters, check_block, package_readmes


@pytest.mark.parametrize("code", block_parameters(package_readmes(heavy=True)))
def test_block_runs(code: str, tmp_path: Path) -> None:
    check_block(code, tmp_path)
