"""The contract of environments, kept in containers of their images as `DockerProvider` hardens them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import docker
import pytest

from openenv_gym.providers.docker import DockerProvider
from openenv_gym.testing import EnvironmentContract
from openenv_gym.testing.deployment import Deployment
from tests.docker.images import Images


class InContainers(EnvironmentContract):
    """Runs the image of that name."""

    image: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def deployment(cls, images: Images, docker_client: docker.DockerClient) -> Deployment:
        provider = DockerProvider(ready_timeout=120)

        def shim() -> int:
            first = docker_client.api.inspect_container(provider.name)["State"]["Pid"]
            return int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])

        return Deployment(provider, replace(cls.spec(), image=images.environment(cls.image)), shim)
