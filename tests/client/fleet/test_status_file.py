"""What other processes are told of fleets: what is true, by whom it may be told, and nothing of the dead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from openenv_gym.client.fleet.status import FleetStatus, ServerPhase, ServerStatus
from openenv_gym.client.fleet.status_file import StatusFile, read_fleets


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "openenv-gym"


def fleet(pid: int | None = None, since: float = 1.0) -> FleetStatus:
    servers = (
        ServerStatus("s-0", ServerPhase.READY, 2.0, "http://127.0.0.1:1", 3, 4),
        ServerStatus("s-1", ServerPhase.DEAD, 3.0, restarts=2, last_error="it exited with code 3"),
    )
    return FleetStatus("s", pid or os.getpid(), since, 2, 1, "", servers)


def test_what_is_written_is_read_until_it_is_removed(folder: Path) -> None:
    file, other = StatusFile(), StatusFile()
    assert read_fleets() == []
    other.write(fleet(since=9.0))
    file.write(fleet())
    assert read_fleets() == [fleet(), fleet(since=9.0)]
    file.write(fleet(since=4.0))
    assert read_fleets() == [fleet(since=4.0), fleet(since=9.0)]
    file.remove()
    file.remove()
    other.remove()
    assert read_fleets() == []
    assert list(folder.iterdir()) == []


def test_only_their_user_can_read_them(folder: Path) -> None:
    StatusFile().write(fleet())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_can_enter_is_not_used(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PermissionError, match="0700"):
        StatusFile().write(fleet())
    assert read_fleets() == []


def test_a_link_in_the_folders_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        StatusFile().write(fleet())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_files_of_the_dead_are_removed_and_a_recycled_id_is_not_mistaken(folder: Path) -> None:
    StatusFile().write(fleet())
    (mine,) = folder.iterdir()
    told = json.loads(mine.read_text())
    (folder / "recycled.json").write_text(json.dumps({**told, "started": "12345"}))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(60)
    (folder / "dead.json").write_text(json.dumps({**told, "pid": gone.pid}))
    assert read_fleets() == [fleet()]
    assert [path.name for path in folder.iterdir()] == [mine.name]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', "[" * 5000, '{"pid": 1e400}', "\x00\xff"])
def test_what_is_no_status_is_passed_over(folder: Path, text: str) -> None:
    StatusFile().write(fleet())
    (folder / "other.json").write_text(text)
    assert read_fleets() == [fleet()]
