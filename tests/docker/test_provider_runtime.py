"""Servers under gVisor."""

from __future__ import annotations

import docker

from openenv_gym.client.schemas import fetch_health
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider


def test_server_runs_under_gvisor(echo_image: str, docker_client: docker.DockerClient):
    with DockerProvider(runtime="runsc", ready_timeout=120) as provider:
        fetch_health(provider.start(ServerSpec(image=echo_image)))
        container = docker_client.containers.get(provider.name)
        assert b"Starting gVisor" in container.exec_run("dmesg").output
    assert "Application shutdown complete" in provider.logs()
