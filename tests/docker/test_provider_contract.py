"""DockerProvider keeps the contract of providers, on the real engine."""

from __future__ import annotations

from collections.abc import Collection

import docker
import pytest

from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.testing import Attempt, ProviderContract


class TestDockerProvider(ProviderContract):
    side_by_side = 2

    @pytest.fixture(autouse=True)
    def _on_the_engine(self, echo_image: str, base_image: str, docker_client: docker.DockerClient) -> None:
        self.spec = ServerSpec(image=echo_image, name="echo server")
        self.base = ServerSpec(image=base_image, name="silent server")
        self.api = docker_client.api

    def make_provider(self) -> DockerProvider:
        return DockerProvider(ready_timeout=self.patience)

    def cannot_start(self) -> Attempt:
        spec = ServerSpec(image="openenv-gym-missing:none")
        return Attempt(DockerProvider(pull="never"), spec, "no image 'openenv-gym-missing:none'")

    def dies_at_once(self) -> Attempt:
        return Attempt(
            DockerProvider(command=["sh", "-c", "echo last words; exit 3"]), self.base, "last words"
        )

    def never_ready(self, timeout: float) -> Attempt:
        return Attempt(DockerProvider(command=["sleep", "1000"], ready_timeout=timeout), self.base)

    def leftovers(self, mark: str) -> Collection[str]:
        """The containers with the mark, and their processes."""
        found = list(super().leftovers(mark))
        for container in self.api.containers(all=True):
            try:
                environ = self.api.inspect_container(container["Id"])["Config"]["Env"]
            except docker.errors.NotFound:
                continue  # another test's, which has just ended
            if f"OPENENV_GYM_CHECK={mark}" in environ:
                found.append(f"container {container['Names']}: {container['Status']}")
        return found
