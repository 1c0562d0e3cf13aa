"""What images add to the one below them is what the table in ``servers/base/README.md`` says."""

from __future__ import annotations

import re

import docker
import pytest

from openenv_gym.images import known_packages
from tests.docker.images import Images
from tests.documents import ROOT

pytestmark = pytest.mark.timeout(1800)  # each image is built

_TABLE = ROOT / "servers/base/README.md"
_ROW = re.compile(r"^\| (`.*?) \| (?:(\S+) to )?(\S+) ([kM])B \|", re.MULTILINE)
_TOLERANCE = 0.25  # the figures are rounded, and code grows
_UNITS = {"k": 1e3, "M": 1e6}


def stated() -> dict[str, tuple[float, float]]:
    """The least and the most bytes that each image adds."""
    found = {}
    for images, least, most, unit in _ROW.findall(_TABLE.read_text()):
        for image in re.findall(r"`([\w-]+)`", images):
            found[image] = (float(least or most) * _UNITS[unit], float(most) * _UNITS[unit])
    return found


@pytest.mark.parametrize("package", known_packages())
def test_an_environment_adds_what_is_said(
    package: str, images: Images, docker_client: docker.DockerClient
) -> None:
    added = _size(images.environment(package.removesuffix("_env")), docker_client)
    added -= _size(images.server_base(), docker_client)
    least, most = stated()[package.replace("_", "-")]
    assert least * (1 - _TOLERANCE) <= added <= most * (1 + _TOLERANCE)


def test_the_base_adds_what_is_said(images: Images, docker_client: docker.DockerClient) -> None:
    added = _size(images.server_base(), docker_client) - _size(images.base(), docker_client)
    assert added == pytest.approx(stated()["openenv-gym-base"][0], rel=_TOLERANCE)


def _size(image: str, client: docker.DockerClient) -> int:
    return int(client.images.get(image).attrs["Size"])
