"""`openenv-gym ps` and `openenv-gym prune`: what they show and choose; tests/docker has them at work."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from openenv_gym.cli import tables
from openenv_gym.cli.main import main
from openenv_gym.cli.ps import age
from openenv_gym.cli.ps import tables as tables_of
from openenv_gym.cli.running import Running, command_of
from openenv_gym.cli.tables import Cell, Table, show
from openenv_gym.client.fleet.status import FleetStatus, ServerPhase, ServerStatus
from openenv_gym.client.fleet.status_file import StatusFile
from openenv_gym.errors import MissingExtraError
from openenv_gym.providers.docker import inventory as inventories
from openenv_gym.providers.docker.inventory import Item
from openenv_gym.providers.docker.labels import Owner

NOW = 1_800_000_000.0
ME = Owner.this_process()
GONE = Owner(ME.pid, ME.start - 1, ME.pid_namespace, ME.boot, ME.host)  # the number was used again
FOREIGN = Owner(ME.pid, ME.start, ME.pid_namespace, ME.boot, "another-host")
NOWHERE = "tcp://127.0.0.1:9"


def item(name: str = "openenv-gym-git-0", owner: Owner | None = ME, **changes: Any) -> Item:
    values: dict[str, Any] = {
        "kind": "container",
        "name": name,
        "server": "git-0",
        "provider": "DockerProvider",
        "session": "1-abc",
        "owner": owner,
        "status": "Up 5 minutes (healthy)",
        "image": "git-env:latest",
        "base_url": "http://127.0.0.1:32768",
        "created": datetime.fromtimestamp(NOW - 65, UTC),
    }
    return Item(**{**values, **changes})


def fleet(*servers: ServerStatus, **changes: Any) -> FleetStatus:
    values: dict[str, Any] = {"name": "git", "pid": ME.pid, "since": NOW - 3600, "target": 2, "waiting": 3}
    return FleetStatus(**{**values, "servers": servers, **changes})


READY = ServerStatus("git-0", ServerPhase.READY, NOW - 60, "http://127.0.0.1:32768", 5, 8, 1, "it died\nbad")
STARTING = ServerStatus("git-1", ServerPhase.STARTING, NOW - 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(running: Running, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    show(tables_of(running, NOW), out)
    return out.getvalue()


def test_containers_by_owner_and_fleets() -> None:
    lines = shown(Running([item(), item("left", GONE, base_url="")], [fleet(READY, STARTING)])).splitlines()
    command = command_of(os.getpid())
    of_mine, of_the_dead, of_the_fleet = (
        next(number for number, line in enumerate(lines) if line.startswith(text))
        for text in (f"Containers of {ME.pid} {command}", f"Containers of {ME.pid}, which is gone", "Fleet")
    )
    assert lines[of_mine + 1].split() == ["NAME", "IMAGE", "STATE", "SESSIONS", "PORT", "AGE"]
    assert lines[of_mine + 2].split() == [
        "openenv-gym-git-0", "git-env:latest", "ready", "5/8", "32768", "1m05s",
    ]  # fmt: skip
    assert lines[of_the_dead + 2].split() == ["left", "git-env:latest", "healthy", "1m05s"]
    assert lines[of_the_fleet] == (
        f"Fleet git: 1 of 2 servers ready, 5 sessions, 3 waiting, 1h00m old, of {ME.pid} {command}"
    )
    assert lines[of_the_fleet + 2].split() == [
        "git-0", "ready", "1m00s", "5/8", "1", "32768", "it", "died", "bad",
    ]  # fmt: skip
    assert lines[of_the_fleet + 3].split() == ["git-1", "starting", "2s", "0", "0"]
    assert lines[-1].startswith("1 outlived the owner: `openenv-gym prune`")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Up 5 minutes (healthy)", "healthy"),
        ("Up 3 seconds (health: starting)", "up"),
        ("Up 5 minutes", "up"),
        ("Up 5 minutes (unhealthy)", "unhealthy"),
        ("Up 2 hours (Paused)", "paused"),
        ("Exited (137) 3 seconds ago", "exited 137"),
        ("Created", "created"),
    ],
)
def test_a_container_s_state_in_a_word(status: str, state: str) -> None:
    row = shown(Running([item(status=status)], [])).splitlines()[2]
    assert row == f"openenv-gym-git-0  git-env:latest  {state:5}  {'':8}  32768  1m05s"


def test_other_owners_and_other_things() -> None:
    items = [
        item("elsewhere", FOREIGN),
        item("nobodys", None, kind="service", status=""),
        item("net", GONE, kind="network", status="", image=""),
    ]
    text = shown(Running(items, []))
    assert f"Containers of {ME.pid} on another machine, or in a container\n" in text
    assert "Containers of nobody knows whom\n" in text
    assert "Networks and volumes\nKIND     NAME  AGE    OWNER\nnetwork  net   1m05s" in text


def test_ages() -> None:
    assert [age(0, then) for then in (-1, 5, 65, 3 * 3600 + 120, 90000)] == [
        "0s", "5s", "1m05s", "3h02m", "1d01h",
    ]  # fmt: skip


def test_a_terminal_gets_what_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running([item("openenv-gym-" + "ж" * 60)], [fleet(READY, STARTING, trouble="all " * 50)])
    for width in (80, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = re.sub(r"\x1b\[[0-9;]*m", "", shown(running, Terminal())).splitlines()
        assert max(map(len, lines)) <= width
        assert "".join(lines).count("ж") == 60, "a name is broken, not cut"


def test_without_rich_a_terminal_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running([item()], [fleet(READY)])
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert shown(running, Terminal()) == shown(running)
    monkeypatch.setitem(sys.modules, "rich.live", None)
    with pytest.raises(MissingExtraError, match=r"openenv-gym\[cli\]"):
        tables.watch(list, 1.0)


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_nothing_that_a_terminal_obeys_is_printed(out: io.StringIO) -> None:
    show([Table("a\x1b]0;b\x07", ("x~",), [[Cell("\x1b[2J")]], note="\x9b1m")], out)
    assert not {"\x07", "\x9b"} & set(out.getvalue())
    assert "\x1b[2J" not in out.getvalue() and "\x1b]" not in out.getvalue()


def test_where_no_engine_answers_fleets_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    own = StatusFile()
    own.write(fleet(READY, name="solitary"))
    try:
        assert main(["ps", "--engine", NOWHERE]) == 0
        out = capsys.readouterr().out
        assert "Fleet solitary: 1 of 2 servers ready" in out
        assert "no Docker engine answers" in out
        assert main(["ps", "--engine", NOWHERE, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["items"] == [] and "no Docker engine answers" in told["problem"]
        (mine,) = [one for one in told["fleets"] if one["name"] == "solitary"]
        assert (mine["pid"], mine["servers"][0]["state"]) == (ME.pid, "ready")
    finally:
        own.remove()


def test_without_the_docker_sdk_its_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "docker.errors", None)
    assert main(["ps"]) == 0
    assert "openenv-gym[docker]" in capsys.readouterr().out
    assert main(["prune"]) == 1
    assert "openenv-gym[docker]" in capsys.readouterr().err


def test_for_programs() -> None:
    told = Running([item(), item("left", GONE)], [fleet(READY)]).as_json()
    mine, left = json.loads(json.dumps(told))["items"]
    assert mine["owner"] == {"pid": ME.pid, "command": command_of(ME.pid)}
    assert (mine["owner_lives"], mine["sessions"], mine["capacity"]) == (True, 5, 8)
    assert (mine["created"], mine["base_url"]) == (NOW - 65, "http://127.0.0.1:32768")
    assert left["owner"] == {"pid": ME.pid, "command": ""} and left["owner_lives"] is False


def test_a_view_that_is_kept_up_to_date(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    looks = iter(range(100))
    tables.watch(lambda: [Table("Looks", ("N",), [[Cell(f"look {next(looks)}")]])], 2.5)
    assert pauses == [2.5] * 3
    assert "look 2" in capsys.readouterr().out


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "x"])
def test_intervals_that_are_none(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ps", "--watch", seconds])
    assert "--watch" in capsys.readouterr().err


# --- prune --------------------------------------------------------------------------------------------------


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is removed from an engine with one thing of each kind of owner."""
    gone: list[str] = []

    def remove(items: list[Item], engine: str | None) -> list[Item]:
        gone.extend(one.name for one in items)
        return items

    there = [item("mine"), item("left", GONE), item("foreign", FOREIGN), item("unreadable", None)]
    monkeypatch.setattr(inventories, "inventory", lambda engine: there)
    monkeypatch.setattr(inventories, "remove", remove)
    return gone


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["left"]),
        (["--all"], ["left", "foreign", "unreadable"]),
        (["--force"], ["mine", "left", "foreign", "unreadable"]),
        (["mine"], []),
        (["mine", "--force"], ["mine"]),
        (["left", "foreign"], ["left"]),
    ],
)
def test_what_living_processes_hold_stays(
    options: list[str], names: list[str], removed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prune", "--yes", *options]) == 0
    assert removed == names
    out = capsys.readouterr().out
    assert (f"Removed {len(names)}" if names else "Nothing to remove") in out
    assert ("stay: their owners live" in out) == ("mine" not in names and "left" not in options)
    assert ("whether their owners live" in out) == (options in ([], ["left", "foreign"]))


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1), ("no", 1)])
def test_it_asks_first(answer: str, status: int, removed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(f"{answer}\n")
    monkeypatch.setattr(sys, "stdin", terminal)
    assert main(["prune"]) == status
    assert removed == (["left"] if status == 0 else [])


def test_where_nobody_can_be_asked_nothing_is_removed(
    removed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["prune"]) == 1
    assert removed == []
    said = capsys.readouterr()
    assert "left" in said.out and "--yes" in said.err


def test_names_that_are_not_there(removed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--yes", "left", "misspelt"]) == 1
    assert "misspelt" in capsys.readouterr().err
    assert removed == []


def test_a_prune_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--engine", NOWHERE]) == 1
    assert "no Docker engine answers" in capsys.readouterr().err
