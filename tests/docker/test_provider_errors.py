"""What cannot be started says which it is, shows the end of the log, and leaves nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from openenv_gym.errors import NotSupportedError, ProviderError, StartupError, UsageError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from tests.docker.archives import tarball
from tests.docker.tiny_server import COMMAND, PROGRAM, built

Refused = Callable[..., str]


@pytest.fixture
def refused(docker_client: docker.DockerClient) -> Refused:
    """Start what must fail; returns the message, and makes sure that nothing is left."""

    def start(image: str, kind: type[ProviderError] = ProviderError, **options: Any) -> str:
        provider = DockerProvider(**options)
        with pytest.raises(kind) as caught:
            provider.start(ServerSpec(image=image, name="tiny server"))
        assert docker_client.containers.list(all=True, filters={"name": provider.name or "none"}) == []
        assert provider._token not in str(caught.value)
        return str(caught.value)

    return start


def test_image_that_is_missing_and_not_to_be_pulled(refused: Refused):
    message = refused("openenv-gym-missing:none", pull="never")
    assert "no image 'openenv-gym-missing:none'" in message
    assert "pull='never'" in message
    assert "build" in message


@pytest.mark.parametrize("pull", ["missing", "always"])
def test_image_that_is_in_no_registry(refused: Refused, pull: str):
    message = refused("127.0.0.1:1/openenv-gym-missing", pull=pull)
    assert "'127.0.0.1:1/openenv-gym-missing' is not on the Docker engine and cannot be pulled" in message
    assert "connection refused" in message


def test_image_without_a_server(refused: Refused, base_image: str):
    message = refused(base_image, StartupError, command=["sleep", "1000"], ready_timeout=0.5)
    assert re.search(r"not ready within 0.5 s \(.+\); nothing answers GET /health on port 8000", message)
    assert "named by the convention" in message
    assert "port=" in message


def test_server_on_another_port(refused: Refused, base_image: str):
    message = refused(base_image, StartupError, command=COMMAND, port=9000, ready_timeout=0.5)
    assert "on port 9000, named by port=" in message
    with DockerProvider(command=[*COMMAND[:-1], "9000"], port=9000) as provider:
        provider.start(ServerSpec(image=base_image))


def test_image_that_starts_nothing(refused: Refused, base_image: str):
    assert "No command specified; the image starts nothing by itself: command=" in refused(base_image)


def test_command_that_is_missing(refused: Refused, base_image: str):
    assert "is it the image of a server?" in refused(base_image, command=["/missing"], init=False)
    message = refused(base_image, StartupError, command=["/missing"])  # the init process is there
    assert "exited with code 127 before it was ready" in message
    assert "exec /missing failed" in message


def test_death_by_signal(refused: Refused, base_image: str):
    message = refused(base_image, StartupError, command=["python3", "-c", "import os; os.abort()"])
    assert "was killed by signal 6 (Aborted) before it was ready" in message


def test_death_for_want_of_memory(refused: Refused, base_image: str):
    greedy = ["python3", "-c", "print('eats', flush=True); bytearray(1 << 30)"]
    message = refused(base_image, StartupError, command=greedy, memory="32m")
    assert "was killed for want of memory (memory= allows it 32 MiB)" in message
    assert message.endswith("eats")


def test_what_the_defaults_forbid_is_named(refused: Refused, base_image: str):
    message = refused(base_image, StartupError, command=["touch", "/etc/mine"], user="root")
    assert "exited with code 1" in message
    assert "writable= or tmpfs=" in message
    assert "Read-only file system" in message


def test_health_check_that_fails(refused: Refused, base_image: str, docker_client: docker.DockerClient):
    check = 'HEALTHCHECK --interval=50ms --retries=1 CMD ["sh", "-c", "echo it hurts; exit 1"]'
    with built(docker_client, f"FROM {base_image}", check, 'CMD ["sleep", "1000"]') as image:
        message = refused(image, StartupError)
        assert "the tiny server is unhealthy: its health check says: it hurts" in message


def test_image_for_another_processor(refused: Refused, foreign_image: str, docker_client):
    own = docker_client.version()["Arch"]
    message = refused(foreign_image, StartupError)
    assert "exec format error" in message.lower()
    assert re.search(rf"the image is for \S+, and the engine runs {own}", message)
    message = refused(foreign_image, platform=f"linux/{own}", pull="never")
    assert f"no image {foreign_image!r} for linux/{own} on the Docker engine" in message


@pytest.fixture
def foreign_image(docker_client: docker.DockerClient) -> Iterator[str]:
    """An image that says it is for a processor which this machine has not, with a program for that."""
    architecture, machine = {"amd64": ("arm64", 183)}.get(docker_client.version()["Arch"], ("amd64", 62))
    program = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little") + bytes(44)
    layer = tarball({"program": program, "bin/sh": program})
    configuration = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/program"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    tag = "openenv-gym-foreign:test"
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(configuration).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    docker_client.images.load(tarball(files))
    yield tag
    docker_client.images.remove(tag, force=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"runtime": "missing"}, "install the runtime where the engine runs"),
        ({"gpus": "all"}, "gpus= needs the devices' driver"),
        ({"network": "openenv-gym-missing"}, "docker network create"),
        ({"network": "none"}, "the engine publishes no port of it"),
        ({"volumes": {"./relative": "/data"}}, "volumes="),
    ],
)
def test_what_the_engine_has_not(refused: Refused, base_image: str, options: dict[str, Any], says: str):
    assert says in refused(base_image, command=COMMAND, **options)


def test_engine_out_of_reach(refused: Refused, monkeypatch: pytest.MonkeyPatch):
    message = refused("image", engine="unix:///missing/docker.sock")
    assert "no Docker engine answers at unix:///missing/docker.sock" in message
    assert "docker info" in message
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert "no Docker engine answers at http://127.0.0.1:1" in refused("image")


def test_engine_whose_ports_are_out_of_reach():
    with pytest.raises(NotSupportedError, match="cannot be reached over ssh"):
        DockerProvider(engine="ssh://user@host").start(ServerSpec(image="image"))


def test_options_that_are_none():
    for options in ({"memory": "2x"}, {"memory": None, "memory_swap": "1g"}, {"command": "a string"}):
        with pytest.raises(UsageError):
            DockerProvider(**options)
    with pytest.raises(NotSupportedError, match="needs ServerSpec"):
        DockerProvider().start(ServerSpec(app="echo_env.server.app:app"))


def test_token_in_the_log_is_hidden(base_image: str):
    with DockerProvider(command=["python3", "-c", PROGRAM, "8000"]) as provider:
        token = provider.start(ServerSpec(image=base_image)).token
        assert "serving with [token]" in provider.logs()
    assert provider.logs() == "serving with [token]\n"
    assert token not in repr(provider)
