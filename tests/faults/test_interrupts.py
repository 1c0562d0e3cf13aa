"""Ctrl-C at any moment leaves an environment that a reset makes good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.chain_server import PATIENCE, ROOT, ChainServer
from tests.faults.interrupted import FACES, LANES
from tests.faults.schedule import choose_seed


@pytest.mark.timeout(240)
def test_after_each_interrupt_a_reset_makes_it_good(tmp_path: Path) -> None:
    seed = choose_seed()
    server = ChainServer("asynchronous", tmp_path, capacity=LANES)
    try:
        for face in FACES:
            program = [
                sys.executable,
                "-m",
                "tests.faults.interrupted",
                face,
                server.base_url,
                "25",
                str(seed),
            ]
            ended = subprocess.run(
                program, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=PATIENCE
            )
            assert ended.returncode == 0, f"{face}: {ended.stderr[-3000:]}"
            assert server.free_slots() == LANES
    finally:
        server.close()
