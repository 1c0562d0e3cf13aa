"""``python -m openenv_gym.server.serve`` as a process: it starts, drains on SIGTERM, keeps secrets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from openenv_gym.errors import UsageError
from openenv_gym.server.serve import load_app
from tests.server.sample_environments import Parrot
from tests.server.talk import Talk, wait_until

ROOT = Path(__file__).parents[2]
APP = "tests.server.served_app:make_app"


class Process:
    """A server process on a socket that the test bound, as providers do it."""

    def __init__(self, directory: Path, **environ: str) -> None:
        self.directory = directory
        self.log_path = directory / "log"
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        command = [sys.executable, "-W", "error", "-m", "openenv_gym.server.serve", APP]
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                [*command, "--fd", str(listener.fileno()), "--log-level", "debug"],
                cwd=ROOT,
                env={**os.environ, "GATE_DIRECTORY": str(directory), **environ},
                pass_fds=[listener.fileno()],
                stdout=log,
                stderr=log,
            )
        listener.close()
        self.base_url = f"http://127.0.0.1:{self.port}"
        assert self.get("/health").status_code == 200, self.log

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.base_url + path, timeout=60, **options)

    def terminate(self) -> None:
        self.popen.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        return self.popen.wait(60)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**environ: str) -> Process:
        started.append(Process(tmp_path, **environ))
        return started[-1]

    yield start
    for one in started:
        one.popen.kill()
        one.popen.wait(60)


def test_sigterm_lets_the_running_step_finish_closes_everything_and_exits_0(process):
    server = process()
    url = f"ws://127.0.0.1:{server.port}/ws"
    with connect(url, proxy=None) as running, connect(url, proxy=None) as idle:
        sleeping, resting = Talk(running), Talk(idle)
        sleeping.reset()
        resting.reset()
        sleeping.send({"type": "step", "data": {"message": "sleep"}})
        wait_until((server.directory / "asleep").exists)
        server.terminate()
        wait_until(lambda: server.get("/health").status_code == 503)
        assert resting.step("x")["data"]["reason"] == "draining"
        with connect(url, proxy=None) as late:
            assert Talk(late).receive()["data"]["reason"] == "draining"
        (server.directory / "wake").touch()
        assert sleeping.receive()["data"]["observation"]["echo"] == "sleep"
        with pytest.raises(ConnectionClosed):
            sleeping.receive()
    assert server.wait() == 0, server.log
    assert (server.directory / "closed").exists()
    assert "Warning" not in server.log
    assert "Traceback" not in server.log


def test_sigterm_does_not_wait_for_ever(process):
    server = process(OPENENV_GYM_DRAIN_GRACE="0.1", OPENENV_GYM_CLOSE_TIMEOUT="0.1")
    with connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None) as running:
        sleeping = Talk(running)
        sleeping.reset()
        sleeping.send({"type": "step", "data": {"message": "sleep"}})
        wait_until((server.directory / "asleep").exists)
        server.terminate()
        assert server.wait() == 0, server.log


def test_secrets_stay_out_of_the_log(process):
    server = process(OPENENV_GYM_TOKEN="the-token")
    headers = {"Authorization": "Bearer the-token"}
    reset = httpx.post(f"{server.base_url}/reset", headers=headers, timeout=60)
    session_id = reset.headers["X-Session-Id"]
    url = f"ws://127.0.0.1:{server.port}/ws?session_id={session_id}"
    with connect(url, proxy=None, additional_headers=headers) as attached:
        assert Talk(attached).step("x")["type"] == "observation"
    assert server.get("/schema", headers={"Authorization": "Bearer guessed"}).status_code == 401
    server.terminate()
    assert server.wait() == 0
    assert "session_id=***" in server.log
    assert session_id not in server.log
    assert "the-token" not in server.log


def test_what_is_no_app_is_said_in_one_line():
    finished = subprocess.run(
        [sys.executable, "-m", "openenv_gym.server.serve", "nowhere:app"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 2
    assert "there is no module 'nowhere'" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_factory_is_called_and_an_app_taken_as_it_is():
    assert load_app("tests.server.sample_environments:Parrot") is Parrot, "a class is taken as it is"
    app = load_app(APP)
    assert app.title.startswith("Gated")


@pytest.mark.parametrize(
    "path", ["", "module", ":app", "tests.server.served_app:nothing", "tests.nowhere:app"]
)
def test_a_name_that_leads_nowhere(path):
    with pytest.raises(UsageError, match="is no app"):
        load_app(path)
