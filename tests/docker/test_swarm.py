"""Servers as services of a swarm, on a real engine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import numpy as np
import pytest

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.schemas import fetch_health
from openenv_gym.errors import ServerUnreachableError, StartupError
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.docker import SwarmProvider, swarm_provider
from openenv_gym.providers.docker.inventory import inventory
from tests.docker.tiny_server import COMMAND
from tests.scenes import blocks_played_in, play
from tests.shown_code import Block

pytestmark = pytest.mark.usefixtures("swarm")

Provide = Callable[..., SwarmProvider]


@pytest.fixture
def provide() -> Iterator[Provide]:
    """Makes providers, and stops them at the end."""
    made: list[SwarmProvider] = []

    def make(**options: Any) -> SwarmProvider:
        made.append(SwarmProvider(**{"ready_timeout": 120.0, **options}))
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


def containers(client: docker.DockerClient, provider: SwarmProvider) -> dict[str, Any]:
    """The running containers by the names of their services."""
    label = "com.docker.swarm.service.name"
    found = client.containers.list(filters={"label": label})
    return {one.labels[label]: one for one in found if one.labels[label].startswith(provider.name)}


def wait_until_healthy(url: str, token: str | None) -> None:
    while True:
        try:
            fetch_health(Endpoint(url, token))
            return
        except ServerUnreachableError:
            time.sleep(0.05)


def test_replicas_are_found_by_one_endpoint_and_replaced_where_they_were(
    provide: Provide, echo_image: str, docker_client: docker.DockerClient
) -> None:
    provider = provide(replicas=2, environ={"MAX_CONCURRENT_ENVS": "2"})
    endpoint = provider.start(ServerSpec(image=echo_image, name="echo"))
    assert endpoint.base_url == provider.base_urls[0]
    with RemoteVectorEnv(endpoint.base_url, token=endpoint.token, num_envs=4, reset_timeout=120) as envs:
        envs.reset(seed=1)  # has room for all only on both
        before = containers(docker_client, provider)
        assert len(before) == 2
        victim = before[f"{provider.name}-2"]
        victim.kill()
        *_, info = envs.step(envs.action_space.sample())
        wait_until_healthy(provider.base_urls[1], endpoint.token)
        after = containers(docker_client, provider)
        assert after[f"{provider.name}-2"].id != victim.id
        assert after[f"{provider.name}-1"].id == before[f"{provider.name}-1"].id
        for _ in range(3):
            *_, info = envs.step(envs.action_space.sample())
        assert np.all(info["fault"] == "")


@pytest.mark.parametrize(
    "block", blocks_played_in("tests/docker/test_swarm.py"), ids=lambda block: block.place
)
def test_a_vector_environment_has_a_swarm_of_its_own(block: Block, echo_image: str) -> None:
    play(block, replaced={"echo-env:latest": echo_image})


def test_containers_are_confined(
    provide: Provide, base_image: str, docker_client: docker.DockerClient
) -> None:
    provider = provide(command=COMMAND, memory="300m", cpus=0.5, pids=100)
    provider.start(ServerSpec(image=base_image, name="tiny server"))
    (container,) = containers(docker_client, provider).values()
    look = "exec 2>&1; id -u; grep -E '^Cap(Eff|Bnd)' /proc/self/status; touch /here; touch /tmp/there"
    code, output = container.exec_run(["sh", "-c", look])
    text = output.decode()
    assert code == 0, text
    assert text.splitlines()[0] == "65534"
    assert text.count("0000000000000000") == 2
    assert "Read-only file system" in text
    host = container.attrs["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (300 << 20, 500_000_000, 100)
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]


def test_what_the_node_refuses_is_told(provide: Provide, base_image: str) -> None:
    provider = provide(command=COMMAND, volumes=["/no/such/folder:/data"])
    with pytest.raises(StartupError, match=r"refused by its node.*does not exist.*volumes="):
        provider.start(ServerSpec(image=base_image, name="tiny server"))


def test_a_port_that_was_taken_meanwhile_is_told(
    provide: Provide, base_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm_provider, "_is_free", lambda port: True)
    with socket.create_server(("", 0)) as taken:
        monkeypatch.setattr(swarm_provider, "_PORTS", [taken.getsockname()[1]])
        with pytest.raises(StartupError, match=r"already in use.*taken the port meanwhile"):
            provide(command=COMMAND).start(ServerSpec(image=base_image, name="tiny server"))


def test_what_finds_no_place_is_told(provide: Provide, base_image: str) -> None:
    provider = provide(command=COMMAND, constraints=["node.labels.moon==full"], ready_timeout=1.0)
    with pytest.raises(StartupError, match="no suitable node"):
        provider.start(ServerSpec(image=base_image, name="tiny server"))


def test_services_are_found_by_their_labels(provide: Provide, base_image: str) -> None:
    provider = provide(command=COMMAND, replicas=2)
    provider.start(ServerSpec(image=base_image, name="tiny server"))
    items = {item.name: item for item in inventory() if item.name.startswith(provider.name)}
    assert set(items) == {f"{provider.name}-1", f"{provider.name}-2"}
    assert {(item.kind, item.server, item.owner_lives) for item in items.values()} == {
        ("service", "tiny server", True)
    }
    assert provider.logs().count("serving with [token]") == 2
    provider.stop()
    assert not [item for item in inventory() if item.name in items]
