"""The Echo environment's image, on an engine that is there for the benchmark alone, as the tests have one.

Made with what the tests make theirs with, so the repository's root has to be on the import path.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker

from tests.docker.engine import EngineOwner
from tests.docker.images import Images

_PATIENCE = 120  # seconds for one answer of the engine


@contextmanager
def echo_image() -> Iterator[tuple[docker.DockerClient, str]]:
    """Yield the engine and the image's tag; ``DOCKER_HOST`` names the engine meanwhile.

    It is the engine that DOCKER_HOST names anyway, or that this user can reach; root gets one of its own,
    which ends with all it holds.
    """
    if "DOCKER_HOST" in os.environ or os.geteuid() != 0:
        with (
            tempfile.TemporaryDirectory(prefix="openenv-gym-bench-") as folder,
            _built(Path(folder)) as built,
        ):
            yield built
        return
    owner = EngineOwner()
    before = dict(os.environ)
    try:
        os.environ |= {"DOCKER_HOST": owner.host, "DOCKER_CONFIG": str(owner.folder)}
        with _built(owner.folder) as built:
            yield built
    finally:
        os.environ.clear()
        os.environ.update(before)
        owner.stop()


@contextmanager
def _built(folder: Path) -> Iterator[tuple[docker.DockerClient, str]]:
    with closing(docker.from_env(timeout=_PATIENCE)) as client:
        images = Images(client, folder.name.rpartition("-")[2], folder / "locks")
        try:
            yield client, images.environment("echo")
        finally:
            images.remove()
