"""What a Swarm service is asked of the engine."""

from __future__ import annotations

from typing import Any

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker import SwarmProvider
from openenv_gym.providers.docker.image import ImageFacts

IMAGE = ImageFacts.read("echo-env", {"Config": {"ExposedPorts": {"9000/tcp": {}}, "Labels": {}}})


def task(**options: Any) -> dict[str, Any]:
    provider = SwarmProvider(**options)
    return provider._options.task(IMAGE, "sha256:1", {"A": "b"}, node="n", processors=4)


def test_containers_are_hardened_by_default() -> None:
    asked = task()
    container = asked["ContainerSpec"]
    assert (container["User"], container["Env"]) == ("65534:65534", ["A=b", "HOME=/tmp"])
    assert container["CapabilityDrop"] == ["ALL"]
    assert container["ReadOnly"]
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert {mount["Target"] for mount in container["Mounts"]} == {"/tmp", "/dev/shm"}
    assert asked["Resources"]["Limits"] == {"MemoryBytes": 2 << 30, "NanoCPUs": 2 * 10**9, "Pids": 512}


def test_every_default_is_an_option() -> None:
    asked = task(
        user="root", cap_drop=(), cap_add=["NET_ADMIN"], read_only=False, memory=None, cpus=None, pids=None,
        tmpfs={}, log_size=None, healthcheck=False, command=["serve"], networks=["mesh"],
        extra_hosts={"git": "10.0.0.1"},
    )  # fmt: skip
    container = asked["ContainerSpec"]
    assert (container["User"], container["Env"]) == ("root", ["A=b"])
    assert (container["CapabilityDrop"], container["CapabilityAdd"]) == ([], ["NET_ADMIN"])
    assert not container["ReadOnly"]
    assert asked["Resources"]["Limits"] == {}
    assert [mount["Target"] for mount in container["Mounts"]] == ["/dev/shm"]
    assert "LogDriver" not in asked
    assert container["HealthCheck"] == {"Test": ["NONE"]}
    assert (container["Args"], container["Hosts"]) == (["serve"], ["10.0.0.1 git"])
    assert asked["Networks"] == [{"Target": "mesh"}]


def test_more_processors_than_there_are_would_be_refused() -> None:
    assert task(cpus=64)["Resources"]["Limits"]["NanoCPUs"] == 4 * 10**9


@pytest.mark.parametrize("publish", ["host", "ingress"])
def test_only_the_mesh_lets_servers_run_on_other_nodes(publish: Any) -> None:
    provider = SwarmProvider(publish=publish, constraints=["node.role==worker"])
    asked = provider._options.task(IMAGE, "sha256:1", {}, node="n", processors=4)
    pinned = ["node.id==n"] if publish == "host" else []
    assert asked["Placement"]["Constraints"] == ["node.role==worker", *pinned]
    endpoint = provider._options.endpoint(IMAGE, 20_001)
    assert endpoint["Mode"] == ("dnsrr" if publish == "host" else "vip")
    (port,) = endpoint["Ports"]
    assert (port["TargetPort"], port["PublishedPort"], port["PublishMode"]) == (9000, 20_001, publish)


@pytest.mark.parametrize(
    ("volumes", "mount"),
    [
        (["/a:/b:ro"], {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}),
        ({"data": "/b"}, {"Type": "volume", "Source": "data", "Target": "/b", "ReadOnly": False}),
    ],
)
def test_volumes(volumes: Any, mount: dict[str, Any]) -> None:
    assert task(volumes=volumes)["ContainerSpec"]["Mounts"][-1] == mount


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"replicas": 0}, "replicas="),
        ({"publish": "mesh"}, "neither 'host' nor 'ingress'"),
        ({"command": "serve"}, "command= is a list of words"),
        ({"networks": "mesh"}, "networks= is a list of words"),
        ({"memory": "much"}, "memory="),
        ({"volumes": ["/a"]}, "SOURCE:TARGET"),
        ({"volumes": ["/a:/b:rx"]}, "SOURCE:TARGET"),
    ],
)
def test_what_is_no_option_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        task(**options)
