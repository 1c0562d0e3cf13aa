"""However a fleet's process ends, nothing of the fleet is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.client.fleet.status_file import read_fleets
from tests.client.patience import wait_until

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0  # seconds; only what is broken takes them


@pytest.fixture
def owner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    owner = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.client.fleet.interrupted", request.param],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield owner
    owner.kill()
    owner.communicate()


def guards(owner: subprocess.Popen[str]) -> list[int]:
    assert owner.stdout is not None
    pids: list[int] = json.loads(owner.stdout.readline())
    return pids


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("owner", ["in the start", "at work"], indirect=True)
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_signal(
    owner: subprocess.Popen[str], sign: signal.Signals, monkeypatch: Any, tmp_path: Path
) -> None:
    pids = guards(owner)
    owner.send_signal(sign)
    _, errors = owner.communicate(timeout=PATIENCE)
    assert owner.returncode == -sign, errors
    wait_until_gone(pids)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert read_fleets() == []
    folder = tmp_path / "openenv-gym"
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("owner", ["forgotten", "forked"], indirect=True)
def test_an_ordinary_exit(owner: subprocess.Popen[str]) -> None:
    pids = guards(owner)
    _, errors = owner.communicate(timeout=PATIENCE)
    assert (owner.returncode, errors) == (0, "")
    wait_until_gone(pids)
