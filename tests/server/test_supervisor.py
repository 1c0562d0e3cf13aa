"""``serve --workers N`` as processes: who listens, who dies, who comes back, and that nobody is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from openenv_gym.server.serve import main
from openenv_gym.wire.v1.codecs import SUBPROTOCOLS
from openenv_gym.wire.v1.entries import Greeting
from tests.server.talk import Talk, wait_until
from tests.server.v1.peer import Peer

ROOT = Path(__file__).parents[2]
APP = "tests.server.served_app:make_app"


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Family:
    """A supervisor and its servers.

    Attributes:
        ports: Where the servers listen, the first first.
    """

    def __init__(self, directory: Path, *options: str, app: str = APP, **environ: str) -> None:
        self.directory = directory
        self.log_path = directory / "log"
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "openenv_gym.server.serve", app, *options],
                cwd=ROOT,
                env={**os.environ, "GATE_DIRECTORY": str(directory), **environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def ports(self) -> list[int]:
        wait_until(lambda: "on the ports" in self.log)
        (ports,) = re.findall(r"on the ports (.*)", self.log)
        return [int(port) for port in ports.split(", ")]

    @property
    def pids(self) -> list[int]:
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def status(self, port: int) -> int:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=60).status_code

    def greeting(self, port: int) -> Greeting:
        offered = [Subprotocol(SUBPROTOCOLS[0])]
        with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=offered, proxy=None) as connection:
            return Peer(connection).greeting

    @property
    def serving_pids(self) -> set[str]:
        return set(re.findall(r"INFO \[(\d+)\] .*startup complete", self.log))

    def wait(self) -> int:
        return self.popen.wait(60)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Callable[..., Family]]:
    started: list[Family] = []

    def start(*options: str, **more: str) -> Family:
        started.append(Family(tmp_path, *options, **more))
        return started[-1]

    yield start
    for one in started:
        one.popen.kill()  # and the servers die with it
        one.wait()


def test_every_server_greets_with_the_others_and_none_outlives_a_killed_parent(family):
    three = family("--workers", "3", "--port", "0", MAX_CONCURRENT_ENVS="5")
    ports = three.ports
    assert three.status(ports[0]) == 200
    assert len(three.serving_pids) == 3, "the first answers when all do"
    greetings = [three.greeting(port) for port in ports]
    for port, greeting in zip(ports, greetings, strict=True):
        assert set(greeting.siblings) == set(ports) - {port}
        assert (greeting.capacity, greeting.free) == (5, 5), "each has a capacity of its own"
    assert len({greeting.instance for greeting in greetings}) == 3
    (group,) = {greeting.group for greeting in greetings}
    assert len(group) > 8
    pids = three.pids
    assert len(pids) == 3
    three.popen.kill()
    wait_until(lambda: not any(map(is_alive, pids)))


def test_a_server_that_ends_is_started_again_on_its_port(family):
    two = family("--workers", "2", "--port", "0")
    ports = two.ports
    assert two.status(ports[0]) == 200
    before = {port: two.greeting(port) for port in ports}
    victims = two.pids
    for victim, number in zip(victims, (signal.SIGKILL, signal.SIGTERM), strict=True):
        os.kill(victim, number)
    wait_until(lambda: not any(map(is_alive, victims)))
    after = {port: two.greeting(port) for port in ports}
    for port in ports:
        assert after[port].instance != before[port].instance
        assert (after[port].siblings, after[port].group) == (before[port].siblings, before[port].group)
    for how in ("was killed by signal 9", "exited with status 0"):
        assert re.search(rf"the server on port \d+ {how}: it is started again", two.log)
    two.popen.terminate()
    assert two.wait() == 0, two.log


def test_ctrl_c_lets_the_running_step_finish_and_ends_all(family):
    two = family("--workers", "2", "--port", "0")
    first, second = two.ports
    with connect(f"ws://127.0.0.1:{second}/ws", proxy=None) as running:
        sleeping = Talk(running)
        sleeping.reset()
        sleeping.send({"type": "step", "data": {"message": "sleep"}})
        wait_until((two.directory / "asleep").exists)
        pids = two.pids
        os.killpg(two.popen.pid, signal.SIGINT)
        wait_until(lambda: two.status(second) == 503)
        (two.directory / "wake").touch()
        assert sleeping.receive()["data"]["observation"]["echo"] == "sleep"
    assert two.wait() == 0, two.log
    assert not any(map(is_alive, pids))
    assert "Traceback" not in two.log
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", first)) != 0


@pytest.mark.parametrize(
    ("app", "status", "why"),
    [
        ("nowhere:app", 2, "there is no module 'nowhere'"),
        ("tests.server.served_app:broken_app", 3, "a part is missing"),
    ],
    ids=["no app", "broken app"],
)
def test_what_cannot_start_is_not_tried_for_ever(family, app, status, why):
    two = family("--workers", "2", "--port", "0", app=app)
    assert two.wait() == status
    assert why in two.log
    assert "started again" not in two.log


def test_what_is_advertised_is_what_the_others_are_told(family):
    two = family("--workers", "2", "--port", "0", "--advertise", "9000,https://play.example/two")
    first, second = two.ports
    assert two.greeting(first).siblings == ("https://play.example/two",)
    assert two.greeting(second).siblings == (9000,)


@pytest.mark.parametrize(
    "options",
    [("--workers", "0"), ("--advertise", "9000"), ("--workers", "2", "--advertise", "9000")],
    ids=["none", "one", "too few"],
)
def test_options_that_do_not_fit_are_refused(options, capsys):
    assert main([APP, "--port", "0", *options]) == 2
    assert "advertise" in capsys.readouterr().err
