"""The engine that the tests run on, and the images they run.

The process that controls the tests starts the engine, pytest-xdist's workers share it, and at the end
nothing may be left on it. Without root there is no engine of our own: the one that DOCKER_HOST names is
used, and tests that restart an engine are skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.docker.engine import Engine, EngineOwner
from tests.docker.images import Images
from tests.docker.ingredients import SMALL, Ingredients, locked, prepare

_ENGINE_FOLDER = "OPENENV_GYM_TEST_ENGINE"  # in this run's processes: where its engine or its locks are
_HERE = Path(__file__).parent
_SECONDS = 300  # for one test: the first that needs an image builds it, on a machine that may be busy
_PATIENCE = 120  # seconds for one answer of the engine
_OWN_NETWORKS = {"bridge", "host", "none"}
_owner = pytest.StashKey[EngineOwner | None]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave time for builds."""
    for item in items:
        if _HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SECONDS))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make what images are made of, and start the engine, in the process that controls the tests."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    prepare()
    if os.geteuid() != 0:
        os.environ[_ENGINE_FOLDER] = tempfile.mkdtemp(prefix="openenv-gym-tests-")
        return
    owner = EngineOwner()
    session.config.stash[_owner] = owner
    os.environ[_ENGINE_FOLDER] = str(owner.folder)
    os.environ["DOCKER_HOST"] = owner.host
    os.environ["DOCKER_CONFIG"] = str(owner.folder / "client")
    (owner.folder / "client").mkdir()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Check that the tests left nothing, and end the engine."""
    if hasattr(session.config, "workerinput") or _ENGINE_FOLDER not in os.environ:
        return
    owner = session.config.stash.get(_owner, None)
    try:
        with closing(docker.from_env(timeout=_PATIENCE)) as client:
            _images(client, SMALL).remove()
            left = [] if owner is None else _left_on(client)
    finally:
        if owner is not None:
            owner.stop()
        else:
            shutil.rmtree(os.environ[_ENGINE_FOLDER])
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.get_terminal_writer().line(f"\nleft on the engine: {', '.join(left)}", red=True)


def _left_on(client: docker.DockerClient) -> list[str]:
    """What an engine of our own still holds, images of no name aside: they are builds' cache."""
    containers = [f"container {found.name} {found.labels}" for found in client.containers.list(all=True)]
    networks = [
        f"network {found.name}" for found in client.networks.list() if found.name not in _OWN_NETWORKS
    ]
    volumes = [f"volume {found.name}" for found in client.volumes.list()]
    tags = [f"image {tag}" for image in client.images.list() for tag in image.tags]
    return [*containers, *networks, *volumes, *tags]


def _images(client: docker.DockerClient, ingredients: Ingredients) -> Images:
    folder = Path(os.environ[_ENGINE_FOLDER])
    return Images(client, folder.name.rpartition("-")[2], folder / "locks", ingredients)


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """The SDK's client of the tests' engine."""
    if _ENGINE_FOLDER not in os.environ:
        pytest.fail(
            "these tests start their engine first: run `make test-docker`, or pytest with this folder"
        )
    with closing(docker.from_env(timeout=_PATIENCE)) as client:
        yield client


@pytest.fixture(scope="session")
def engine(docker_client: docker.DockerClient) -> Engine:
    """The tests' own engine, which all of them share: tests that restart one start their own."""
    if os.geteuid() != 0:
        pytest.skip("an engine of our own needs root")
    return Engine(Path(os.environ[_ENGINE_FOLDER]))


@pytest.fixture(scope="session")
def ingredients() -> Ingredients:
    """What the images are made of: as little as does for Echo, Git and Coding."""
    return SMALL


@pytest.fixture(scope="session")
def images(docker_client: docker.DockerClient, ingredients: Ingredients) -> Images:
    """What builds images on the tests' engine, each once."""
    return _images(docker_client, ingredients)


@pytest.fixture(scope="session")
def image(images: Images) -> Callable[[str], str]:
    """Build an environment's image: ``tag = image("echo")``."""
    return images.environment


@pytest.fixture(scope="session")
def base_image(images: Images) -> str:
    """A small Debian with Python and git."""
    return images.base()


@pytest.fixture(scope="session")
def echo_image(images: Images) -> str:
    """The Echo environment's image."""
    return images.environment("echo")


@pytest.fixture(scope="session")
def git_image(images: Images) -> str:
    """The Git environment's image."""
    return images.environment("git")


@pytest.fixture(scope="session")
def coding_image(images: Images) -> str:
    """The Coding environment's image."""
    return images.environment("coding")


@pytest.fixture(scope="module")
def swarm_turn() -> Iterator[None]:
    """The right to say whether the engine manages a swarm, which modules have one after another."""
    with locked(Path(os.environ[_ENGINE_FOLDER]) / "locks/swarm"):
        yield


@pytest.fixture(scope="module")
def swarm(swarm_turn: None, engine: Engine, docker_client: docker.DockerClient) -> Iterator[None]:
    """A swarm of the tests' engine alone, with an address that no other engine of this machine has in its."""
    with closing(
        socket.create_server((f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(256)}.9", 0))
    ) as own:
        address, port = own.getsockname()
    docker_client.swarm.init(advertise_addr=address, listen_addr=f"{address}:{port}")
    try:
        yield
    finally:
        docker_client.swarm.leave(force=True)
        for network in docker_client.networks.list(names=["docker_gwbridge"]):
            network.remove()
