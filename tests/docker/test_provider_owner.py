"""A container ends with the process that owns it, however that ends, and only with that one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.docker.inventory import inventory, prune
from openenv_gym.providers.docker.reaper_process import reaper_of
from tests.client.patience import wait_until
from tests.docker.forwarding import forwarded
from tests.docker.tiny_server import COMMAND, built

ROOT = Path(__file__).parents[2]
Own = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def own(own: Callable[..., subprocess.Popen[str]], base_image: str) -> Own:
    """Run an owner of a container: ``own("waits")``."""

    def run(what: str, image: str = base_image) -> subprocess.Popen[str]:
        return own("-m", "tests.docker.owner", image, what, stderr=subprocess.PIPE)

    return run


def told(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None and owner.stderr is not None
    line = owner.stdout.readline().strip()
    assert line, owner.stderr.read()
    return line


def exists(client: docker.DockerClient, name: str) -> bool:
    return bool(client.api.containers(all=True, filters={"name": f"^/{name}$"}))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_container_ends_with_a_killed_owner(own: Own, docker_client, number: signal.Signals):
    owner = own("waits")
    name = told(owner)
    assert exists(docker_client, name)
    os.killpg(owner.pid, number)  # as a terminal's Ctrl-C, which reaches the whole group
    owner.wait()
    wait_until(lambda: not exists(docker_client, name))


def test_engine_at_a_port_is_cleared_too(own: Own, docker_client, monkeypatch: pytest.MonkeyPatch):
    with forwarded(os.environ["DOCKER_HOST"].removeprefix("unix://")) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        owner = own("waits")
        name = told(owner)
        assert exists(docker_client, name)
        owner.kill()
        wait_until(lambda: not exists(docker_client, name))


def test_container_is_gone_when_its_owner_has_ended_in_order(own: Own, docker_client):
    owner = own("ends")
    name = told(owner)
    _, errors = owner.communicate()
    assert (owner.returncode, errors) == (0, "")
    assert not exists(docker_client, name)


def test_container_whose_creation_was_answered_to_nobody_is_removed(own: Own, docker_client):
    owner = own("dies")
    name = told(owner)
    assert owner.wait() == -signal.SIGKILL
    wait_until(lambda: not exists(docker_client, name))


def test_forked_child_neither_stops_nor_keeps_the_container(own: Own, docker_client):
    owner = own("forks")
    name = told(owner)
    child = int(told(owner).removeprefix("child "))
    try:
        assert docker_client.containers.get(name).status == "running"
        owner.kill()
        wait_until(lambda: not exists(docker_client, name))
        os.kill(child, 0)  # it lives, and holds no end of the pipe
    finally:
        os.kill(child, signal.SIGKILL)


def test_volumes_of_the_container_go_along(own: Own, docker_client, base_image):
    with built(docker_client, f"FROM {base_image}", "VOLUME /data") as image:
        owner = own("waits", image)
        (mount,) = docker_client.containers.get(told(owner)).attrs["Mounts"]
        owner.kill()
        wait_until(lambda: mount["Name"] not in {volume.name for volume in docker_client.volumes.list()})


def test_reaper_that_was_killed_is_replaced(base_image, docker_client):
    spec = ServerSpec(image=base_image)
    with DockerProvider(command=COMMAND) as first, DockerProvider(command=COMMAND) as second:
        first.start(spec)
        reaper = reaper_of(first._engine().address)
        killed = reaper._process
        killed.kill()
        killed.wait()
        second.start(spec)
        assert reaper._process is not killed
        assert reaper._process.poll() is None
        assert {path.split("?")[0] for path in reaper._watched} == {
            f"/containers/{provider.name}" for provider in (first, second)
        }
        first.stop()
    assert reaper._watched == {}


def test_what_runs_is_listed_with_its_owner(base_image):
    with DockerProvider(command=COMMAND) as provider:
        endpoint = provider.start(ServerSpec(image=base_image, name="Tiny"))
        (item,) = [item for item in inventory() if item.name == provider.name]
        assert (item.kind, item.server, item.provider) == ("container", "Tiny", "DockerProvider")
        assert (item.base_url, item.image) == (endpoint.base_url, base_image)
        assert item.owner is not None
        assert (item.owner.pid, item.owner_lives) == (os.getpid(), True)
        assert item.status.startswith("Up")
        assert item not in prune()
        assert provider.running
    assert provider.name not in {item.name for item in inventory()}


def test_what_a_dead_owner_left_is_pruned(docker_client, base_image):
    """No reaper did: it was killed too, or the engine was away for long."""
    program = "from openenv_gym.providers.docker.labels import labels; print(json.dumps(labels('x', 'y')))"
    dead = subprocess.run(
        [sys.executable, "-c", f"import json; {program}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    marks = json.loads(dead.stdout)
    foreign = {**marks, "openenv-gym.owner": marks["openenv-gym.owner"].rpartition("/")[0] + "/another-host"}
    name = f"openenv-gym-left-{os.getpid()}"
    network = docker_client.networks.create(name, labels=marks)
    volume = docker_client.volumes.create(name, labels=foreign)
    container = docker_client.containers.create(
        base_image, ["sleep", "1"], labels=marks, name=name, network=name, volumes=[f"{name}:/data"]
    )
    try:
        assert {item.kind for item in inventory() if item.name == name} == {"container", "network", "volume"}
        assert {item.kind for item in prune() if item.name == name} == {"container", "network"}
        assert [item.kind for item in inventory() if item.name == name] == ["volume"]
        assert [item.kind for item in prune(unknown=True) if item.name == name] == ["volume"]
    finally:
        for left in (container, network, volume):
            with pytest.raises(docker.errors.NotFound):
                left.remove()
