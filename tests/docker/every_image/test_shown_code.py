"""The blocks of environments' READMEs that need an image which is built here alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.docker.images import Images
from tests.documents import block_parameters, check_block, heavy_documents

pytestmark = pytest.mark.timeout(1800)  # the image is built


@pytest.fixture
def latest(docker_client: docker.DockerClient, images: Images) -> Iterator[None]:
    """The image by the name that its build gives it."""
    docker_client.images.get(images.environment("browsergym")).tag("browsergym-env", "latest")
    yield
    docker_client.images.remove("browsergym-env:latest")


@pytest.mark.usefixtures("latest")
@pytest.mark.parametrize("code", block_parameters(heavy_documents(), "python docker"))
def test_block_runs(code: str, tmp_path: Path) -> None:
    check_block(code, tmp_path)
