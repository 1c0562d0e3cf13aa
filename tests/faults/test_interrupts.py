"""Ctrl-C at any moment leaves an environment that a reset makes good."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.chain_server import ROOT, ChainServer
from tests.faults.interrupted import LANES
from tests.faults.schedule import choose_seed

PROGRAM = [sys.executable, "-m", "tests.faults.interrupted"]
TIMES = "25"
PATIENCE = 200.0  # seconds; only what is broken takes them


@pytest.mark.timeout(240)
def test_after_each_interrupt_a_reset_makes_it_good(tmp_path: Path) -> None:
    server = ChainServer("asynchronous", tmp_path, capacity=LANES)
    try:
        arguments = [server.base_url, TIMES, str(choose_seed())]
        ended = subprocess.run(
            [*PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
        )
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr[-3000:]}"
        assert server.free_slots() == LANES
    finally:
        server.close()
