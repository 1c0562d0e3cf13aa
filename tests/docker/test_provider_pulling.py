"""Images that are pulled, from a real registry."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import docker
import pytest

from openenv_gym.errors import ProviderError, StartupError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.docker.pulling import PullPolicy
from tests.client.patience import wait_until
from tests.docker.registry import Registry, registry, unique


@pytest.fixture(scope="module")
def images_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def pushed(images_elsewhere: Registry, docker_client: docker.DockerClient) -> Iterator[str]:
    """The name of an image that is in the registry, and not on the engine."""
    name = images_elsewhere.push(docker_client, unique("image"), os.urandom(1 << 20))
    yield name
    with suppress(docker.errors.ImageNotFound):
        docker_client.images.remove(name, force=True)


def start(name: str, pull: PullPolicy) -> str:
    """Start a server, in vain: what these images hold is no program. Returns the message."""
    with pytest.raises(ProviderError) as caught:
        DockerProvider(pull=pull, init=False).start(ServerSpec(image=name))
    return str(caught.value)


def test_missing_image_is_pulled_once(pushed: str, images_elsewhere: Registry, docker_client):
    assert "there is no image" in start(pushed, "never")
    with ThreadPoolExecutor(3) as pool:
        messages = list(pool.map(lambda _: start(pushed, "missing"), range(3)))
    assert [message for message in messages if "pulled" in message] == []
    assert docker_client.images.get(pushed).tags == [f"{pushed}:latest"]
    repository = pushed.rpartition("/")[2]
    manifests = images_elsewhere.requests(f"/{repository}/manifests/")
    start(pushed, "missing")
    assert images_elsewhere.requests(f"/{repository}/manifests/") == manifests


def test_newer_image_is_pulled_always(pushed: str, images_elsewhere: Registry, docker_client):
    start(pushed, "missing")
    old = docker_client.images.get(pushed)
    docker_client.images.remove(pushed)
    images_elsewhere.push(docker_client, pushed.rpartition("/")[2], b"newer")
    start(pushed, "always")
    assert docker_client.images.get(pushed).id != old.id


def test_progress_is_shown_on_a_terminal(pushed: str, monkeypatch: pytest.MonkeyPatch):
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        start(pushed, "missing")
        terminal.flush()
        shown = screen.read(1 << 16).decode()
    assert f"pulling {pushed}" in shown
    assert "1.0/1.0 MB" in shown


def test_stop_ends_a_start_that_pulls():
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        address = "{}:{}".format(*silent.getsockname())
        provider = DockerProvider()
        starting = pool.submit(provider.start, ServerSpec(image=f"{address}/image"))
        connection, _ = silent.accept()
        provider.stop()
        with pytest.raises(StartupError, match="stopped while it was starting"):
            starting.result()
        connection.close()
    wait_until(lambda: not [thread for thread in threading.enumerate() if address in thread.name])
