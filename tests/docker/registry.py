"""A registry of images, of Debian's package, on a free loopback port."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from openenv_gym.providers.guarded_process import GuardedProcess
from tests.client.patience import wait_until
from tests.docker.archives import tarball

_CONFIGURATION = """\
version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: %s}
http: {addr: "127.0.0.1:0"}
"""


class Registry:
    """A running registry.

    Args:
        address: Its host and port.
        process: Its process.
    """

    def __init__(self, address: str, process: GuardedProcess) -> None:
        self.address = address
        self._process = process

    def push(self, client: docker.DockerClient, repository: str, content: bytes) -> str:
        """Make an image of one file, and have it here and no longer on the engine; its name here."""
        name = f"{self.address}/{repository}"
        archive = tarball({"program": content})
        client.api.import_image_from_data(archive, name, "latest", changes=['CMD ["/program"]'])
        try:
            told = client.api.push(name, "latest")
            assert "digest" in told, told
        finally:
            client.images.remove(f"{name}:latest", force=True)
        return name

    def requests(self, path: str) -> int:
        """How many requests it answered whose path holds this text."""
        return sum("response completed" in line and path in line for line in self._process.log().splitlines())


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """A registry that keeps its images in the folder."""
    settings = folder / "registry.yml"
    settings.write_text(_CONFIGURATION % (folder / "images"))
    environ = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    process = GuardedProcess(["docker-registry", "serve", str(settings)], environ)

    def address() -> re.Match[str] | None:
        assert process.exit_code is None, process.log()
        return re.search(r"listening on (127\.0\.0\.1:[1-9]\d*)", process.log())

    try:
        wait_until(address)
        yield Registry(address()[1], process)
    finally:
        process.end()


def unique(name: str) -> str:
    """A repository's name that no other test uses."""
    return f"{name}-{secrets.token_hex(6)}"
