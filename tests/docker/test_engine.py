"""The tests' own engine runs containers, comes back after its end, and leaves nothing."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import re
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from tests.client.patience import wait_until
from tests.docker.engine import Engine, EngineOwner

# Has an engine, with a network and a container, and waits to be killed.
OWNER = """
import signal, sys
import docker
from tests.docker.engine import EngineOwner
engine = EngineOwner()
client = docker.DockerClient(base_url=engine.host)
client.networks.create("left")
client.api.import_image_from_file(sys.argv[1], "left", "latest")
client.containers.run("left", ["/usr/bin/sleep", "1000"], detach=True, network="left")
print(engine.folder, flush=True)
signal.pause()
"""


class Traces:
    """What an engine has on this machine beside its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._block = ipaddress.ip_network((folder / "block").read_text())

    def left(self) -> list[str]:
        name, found = self._folder.name, [str(self._folder)] if self._folder.exists() else []
        for link in json.loads(told("ip", "-json", "-4", "address")):
            if any(ipaddress.ip_address(one["local"]) in self._block for one in link.get("addr_info", ())):
                found.append(f"interface {link['ifname']}")
        found += [rule for rule in told("iptables", "-S").splitlines() if str(self._block) in rule]
        found += [str(cgroup) for cgroup in Path("/sys/fs/cgroup").glob(f"*/{name}")]
        found += [line for line in Path("/proc/mounts").read_text().splitlines() if name in line]
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                if name in (process / "cmdline").read_text():
                    found.append(f"process {process.name}")
        return found


def told(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_it_is_not_the_machines(engine: Engine, docker_client: docker.DockerClient) -> None:
    assert docker_client.info()["DockerRootDir"] == f"{engine.folder}/data"


def test_an_image_serves_on_loopback(docker_client: docker.DockerClient, echo_image: str) -> None:
    container = docker_client.containers.run(echo_image, detach=True, ports={"8000/tcp": ("127.0.0.1", None)})
    try:
        container.reload()
        (binding,) = container.ports["8000/tcp"]
        wait_until(lambda: answers(binding["HostIp"], int(binding["HostPort"])))
    finally:
        container.remove(force=True)


def answers(host: str, port: int) -> bool:
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        try:
            return connection.recv(64).startswith(b"HTTP/1.1 200")
        except ConnectionResetError:
            return False


@pytest.fixture
def docker0() -> Iterator[str]:
    """The bridge of the machine's own engine, or one of its name, where it has none."""
    with Path("/run/lock/openenv-gym-tests-docker0").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        added = subprocess.run(["ip", "link", "add", "docker0", "type", "bridge"], check=False)
        yield "docker0"
        if added.returncode == 0:
            subprocess.run(["ip", "link", "delete", "docker0"], check=False)


def test_a_second_engine_restarts_and_leaves_nothing(engine: Engine, docker0: str) -> None:
    another = EngineOwner()
    traces = Traces(another.folder)
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = another.pid
            another.bring_down(number)
            wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())
            another.wait_until_ready()
            assert another.pid != pid
        assert len(traces.left()) > 5
    finally:
        another.stop()
    assert traces.left() == []
    assert engine.alive
    assert docker0 in told("ip", "link")


def test_it_leaves_nothing_when_its_owner_is_killed(engine: Engine, tmp_path: Path) -> None:
    tarball = tmp_path / "sleep.tar"
    with tarfile.open(tarball, "w") as tar:
        for path in ("/usr/bin/sleep", *re.findall(r"/\S+", told("ldd", "/usr/bin/sleep"))):
            tar.add(Path(path).resolve(), arcname=path)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tarball], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        traces = Traces(Path(owner.stdout.readline().strip()))
        assert len(traces.left()) > 7
    finally:
        owner.kill()
        owner.communicate()
    wait_until(lambda: not traces.left())
    assert engine.alive
