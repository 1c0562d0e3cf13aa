"""The tests' own engine runs containers, comes back after its end, and leaves nothing."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import docker

from tests.client.patience import wait_until
from tests.docker.engine import Engine, EngineOwner


def interfaces() -> set[str]:
    told = subprocess.run(["ip", "-json", "link"], check=True, capture_output=True).stdout
    return {link["ifname"] for link in json.loads(told)}


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


def test_a_second_engine_restarts_and_leaves_nothing(engine: Engine) -> None:
    another = EngineOwner()
    try:
        assert another.folder.name in interfaces()
        for number in (signal.SIGTERM, signal.SIGKILL):
            pid = another.pid
            another.bring_down(number)
            wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())
            another.wait_until_ready()
            assert another.pid != pid
    finally:
        another.stop()
    assert another.folder.name not in interfaces()
    assert engine.alive
