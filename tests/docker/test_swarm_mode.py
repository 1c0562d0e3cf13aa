"""An engine that is in no swarm is made one only where that is asked for, and left as it was found."""

from __future__ import annotations

import docker
import pytest

from openenv_gym.errors import ProviderError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import SwarmProvider
from tests.docker.engine import Engine
from tests.docker.tiny_server import COMMAND

pytestmark = pytest.mark.usefixtures("swarm_turn")
SPEC_NAME = "tiny server"


def state(client: docker.DockerClient) -> tuple[str, set[str]]:
    """Whether the engine is in a swarm, and its networks that every swarm has."""
    networks = {network.name for network in client.networks.list()} & {"ingress", "docker_gwbridge"}
    return client.info()["Swarm"]["LocalNodeState"], networks


def test_an_engine_in_no_swarm_is_refused(base_image: str, docker_client: docker.DockerClient) -> None:
    with pytest.raises(ProviderError, match=r"in no swarm.*docker swarm init.*init_swarm=True"):
        SwarmProvider(command=COMMAND).start(ServerSpec(image=base_image, name=SPEC_NAME))
    assert state(docker_client) == ("inactive", set())


def test_a_swarm_is_made_and_unmade(
    base_image: str, docker_client: docker.DockerClient, engine: Engine
) -> None:
    address = f"127.{engine.pid % 200 + 20}.{engine.pid % 256}.7"  # other engines may have made one too
    spec = ServerSpec(image=base_image, name=SPEC_NAME)
    first, second = (
        SwarmProvider(command=COMMAND, init_swarm=True, advertise_addr=address, ready_timeout=120)
        for _ in range(2)
    )
    with first:
        first.start(spec)
        with second:
            second.start(spec)
            first.stop()
            assert second.running, "the swarm was unmade under another server"
    assert state(docker_client) == ("inactive", set())
