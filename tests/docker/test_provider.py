"""Starting, looking at and stopping servers in containers, on a real engine."""

from __future__ import annotations

import copy
import pickle
import urllib.request

import docker
import pytest

from openenv_gym.errors import ClosedError, StartupError, UsageError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider, LocalDockerProvider


def test_server_answers_on_loopback_until_it_is_stopped(echo_image: str, docker_client: docker.DockerClient):
    provider = LocalDockerProvider()
    endpoint = provider.start(ServerSpec(image=echo_image, name="Echo"))
    assert endpoint.base_url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{endpoint.base_url}/health", timeout=60) as reply:
        assert reply.status == 200
    assert provider.running
    assert provider.name in {found.name for found in docker_client.containers.list()}
    provider.stop()
    assert provider.state().status == "ended"
    assert "Application shutdown complete" in provider.logs()  # it had the time to
    assert provider.name not in {found.name for found in docker_client.containers.list(all=True)}
    provider.stop()
    with pytest.raises(ClosedError):
        provider.start(ServerSpec(image=echo_image))


def test_copies_are_new_providers_of_the_same_kind(echo_image: str):
    with DockerProvider(memory="300m", environ={"NAME": "value"}) as provider:
        provider.start(ServerSpec(image=echo_image))
        for copied in (copy.deepcopy(provider), pickle.loads(pickle.dumps(provider))):
            assert not copied.running
            assert copied._options == provider._options
            assert copied._environ == provider._environ
        with pytest.raises(UsageError, match="one provider a server"):
            provider.start(ServerSpec(image=echo_image))


def test_exit_before_ready_is_reported_with_the_log(base_image: str):
    provider = DockerProvider(command=["sh", "-c", "echo last words; exit 3"])
    with pytest.raises(StartupError, match="the server exited with code 3 before it was ready") as caught:
        provider.start(ServerSpec(image=base_image))
    assert caught.value.log_tail == "last words"
    assert not provider.running
