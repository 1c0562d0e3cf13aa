"""`openenv-gym ps` and `openenv-gym prune` at a real engine: another process's containers, and orphans."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import docker
import pytest

from openenv_gym.cli.main import main
from tests.client.patience import wait_until
from tests.docker.test_wiring import names_of
from tests.docker.test_wiring_interrupts import hears, trainer


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["ps", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def children_of(pid: int) -> list[int]:
    text = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(word) for word in text.split()]


def test_a_trainer_s_fleet_and_what_it_leaves(
    echo_image: str, docker_client: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with trainer("fleet", echo_image) as process:
        hears(process, "stepping")
        names = names_of(docker_client, process.pid)
        assert len(names) == 2

        def mine() -> list[dict[str, Any]]:
            return [item for item in told(capsys)["items"] if item["name"] in names]

        assert {(item["owner"]["pid"], item["owner_lives"]) for item in mine()} == {(process.pid, True)}
        wait_until(lambda: [item["sessions"] for item in mine()] == [2, 2])
        (fleet,) = [fleet for fleet in told(capsys)["fleets"] if fleet["pid"] == process.pid]
        assert {server["url"] for server in fleet["servers"]} == {item["base_url"] for item in mine()}
        assert "tests.docker.interrupted" in fleet["command"]
        assert main(["prune", "--yes", *names]) == 0
        assert len(names_of(docker_client, process.pid)) == 2, "a living process's containers stay"

        for child in children_of(process.pid):
            os.kill(child, signal.SIGKILL)  # its reaper, which would remove them
        process.kill()
        process.wait()
        assert [item["owner_lives"] for item in mine()] == [False, False]
        assert process.pid not in {fleet["pid"] for fleet in told(capsys)["fleets"]}
        assert main(["ps"]) == 0
        assert f"Containers of {process.pid}, which is gone" in capsys.readouterr().out
        assert main(["prune", *names]) == 1, "nobody is there to be asked"
        assert len(mine()) == 2
        assert main(["prune", "--yes", *names]) == 0
        assert mine() == []
        assert names_of(docker_client, process.pid) == []
