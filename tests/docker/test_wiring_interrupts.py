"""Trainers that are interrupted, fail, or just end: no container outlives them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from tests.client.patience import wait_until
from tests.docker.test_wiring import names_of

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def trainer(how: str, image: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs ``interrupted.py``, in a group of its own as a shell would start it."""
    command = [sys.executable, "-m", "tests.docker.interrupted", how, image]
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def hears(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert line == f"{word}\n", process.stderr.read()


def end_of(process: subprocess.Popen[str]) -> str:
    """Its error output; and its exit is awaited."""
    return process.communicate(timeout=90)[1]


@pytest.mark.parametrize(("how", "moment"), [("make", "before"), ("make", "made"), ("make_fleet", "made")])
def test_ctrl_c_while_an_environment_is_made(
    how: str, moment: str, echo_image: str, docker_client: docker.DockerClient
) -> None:
    with trainer(how, echo_image) as process:
        hears(process, "making")
        if moment == "made":
            wait_until(lambda: names_of(docker_client, process.pid) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        error = end_of(process)
        assert "KeyboardInterrupt" in error
        assert process.returncode == -signal.SIGINT
        assert names_of(docker_client, process.pid) == []


@pytest.mark.parametrize("how", ["episode", "fleet", "client"])
def test_ctrl_c_in_an_episode(how: str, echo_image: str, docker_client: docker.DockerClient) -> None:
    with trainer(how, echo_image) as process:
        hears(process, "stepping")
        assert len(names_of(docker_client, process.pid)) == (2 if how == "fleet" else 1)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in end_of(process)
        assert names_of(docker_client, process.pid) == []


@pytest.mark.parametrize(("how", "status"), [("leave", 0), ("fail", 1)])
def test_an_end_without_a_close(
    how: str, status: int, echo_image: str, docker_client: docker.DockerClient
) -> None:
    with trainer(how, echo_image) as process:
        hears(process, "leaving")
        error = end_of(process)
        assert process.returncode == status, error
        assert error.count("Traceback") == status, "of all that ends, nothing complains"
        assert names_of(docker_client, process.pid) == []


def test_a_kill_in_an_episode(echo_image: str, docker_client: docker.DockerClient) -> None:
    with trainer("fleet", echo_image) as process:
        hears(process, "stepping")
        process.kill()
        end_of(process)
        wait_until(lambda: not names_of(docker_client, process.pid))
