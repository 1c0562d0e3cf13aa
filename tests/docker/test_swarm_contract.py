"""`SwarmProvider` keeps what every provider promises."""

from __future__ import annotations

import docker
import pytest

from openenv_gym.client.schemas import fetch_health
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.docker import SwarmProvider
from openenv_gym.testing import Attempt, ProviderContract
from openenv_gym.testing.marked_processes import marked_processes
from tests.docker.tiny_server import COMMAND

LAST_WORDS = "this server ends before it serves"


@pytest.mark.usefixtures("swarm")
class TestSwarmProvider(ProviderContract):
    side_by_side = 3

    @pytest.fixture(autouse=True)
    def on_engine(self, base_image: str, docker_client: docker.DockerClient) -> None:
        self.spec = ServerSpec(image=base_image, name="tiny server")  # starts in a moment, unlike swarms
        self.client = docker_client

    def make_provider(self) -> SwarmProvider:
        return SwarmProvider(command=COMMAND, ready_timeout=self.patience)

    def use(self, endpoint: Endpoint) -> None:
        fetch_health(endpoint)

    def cannot_start(self) -> Attempt:
        spec = ServerSpec(image="openenv-gym-no-such-image:at-all")
        return Attempt(SwarmProvider(pull="never"), spec, "there is no image")

    def dies_at_once(self) -> Attempt:
        words = f"echo OPENENV_GYM_TOKEN $OPENENV_GYM_TOKEN; echo {LAST_WORDS}; exit 3"
        return Attempt(SwarmProvider(command=["sh", "-c", words]), self.spec, LAST_WORDS)

    def never_ready(self, timeout: float) -> Attempt:
        provider = SwarmProvider(command=["sleep", "3600"], ready_timeout=timeout)
        return Attempt(provider, self.spec, f"not ready within {timeout:g} s")

    def leftovers(self, mark: str) -> list[str]:
        services = [
            f"service {found['Spec']['Name']}"
            for found in self.client.api.services(filters={"label": "openenv-gym.owner"})
            if any(mark in value for value in found["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"])
        ]
        return [*services, *marked_processes(mark)]
