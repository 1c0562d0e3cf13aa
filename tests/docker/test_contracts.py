"""Echo, Git and Coding keep what every environment promises in hardened containers of their images."""

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
from tests.envs.coding import test_contract as coding
from tests.envs.echo import test_contract as echo
from tests.envs.git import test_contract as git


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


class TestEchoImage(InContainers, echo.TestEcho):
    image = "echo"


class TestGitImage(InContainers, git.TestGit):
    image = "git"


class TestCodingImage(InContainers, coding.TestCoding):
    image = "coding"
    ignore = frozenset({"metadata.sandbox"})  # in a container it is Landlock, as there bubblewrap cannot work
