"""Starting, looking at and stopping servers in containers, on a real engine."""

from __future__ import annotations

import copy
import json
import os
import pickle
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from openenv_gym.errors import ClosedError, StartupError, UsageError
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.docker import DockerProvider, LocalDockerProvider
from openenv_gym.providers.server_state import ServerState
from tests.client.patience import wait_until
from tests.docker.tiny_server import COMMAND, PROGRAM, built


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
    with pytest.raises(StartupError, match="exited with code 3 before it was ready") as caught:
        provider.start(ServerSpec(image=base_image))
    assert caught.value.log_tail == "last words"
    assert not provider.running


def test_what_happens_to_a_container_is_seen(base_image: str, docker_client: docker.DockerClient):
    with DockerProvider(command=COMMAND) as provider:
        provider.start(ServerSpec(image=base_image))
        container = docker_client.containers.get(provider.name)
        container.pause()
        assert provider.state() == ServerState("paused", "is paused")
        container.unpause()
        assert provider.running
        container.kill()
        wait_until(lambda: not provider.running)
        assert provider.state() == ServerState("ended", "was killed by signal 9 (Killed)")
        container.remove()
        assert provider.state() == ServerState("ended", "was removed from its engine")
        assert provider.logs() == ""


def test_frozen_container_is_killed_at_once(base_image: str, docker_client: docker.DockerClient):
    provider = DockerProvider(command=COMMAND, stop_grace=1000)
    provider.start(ServerSpec(image=base_image))
    docker_client.containers.get(provider.name).pause()
    provider.kill()
    assert docker_client.containers.list(all=True, filters={"name": provider.name}) == []
    assert provider.logs() == "serving with [token]\n"


def test_server_that_does_not_end_in_time_is_killed(base_image: str, docker_client: docker.DockerClient):
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{PROGRAM}"
    provider = DockerProvider(command=["python3", "-c", deaf, "8000"], stop_grace=0.1)
    provider.start(ServerSpec(image=base_image))
    provider.stop()
    assert docker_client.containers.list(all=True, filters={"name": provider.name}) == []


def test_what_the_image_says_is_followed(base_image: str, docker_client: docker.DockerClient):
    command = json.dumps([*COMMAND[:-1], "9000"])
    lines = [f"FROM {base_image}", "EXPOSE 9000", "VOLUME /data", f"CMD {command}"]
    with built(docker_client, *lines) as image, DockerProvider(environ={"A": "1", "B": "1"}) as provider:
        endpoint = provider.start(ServerSpec(image=image, environ={"B": "2"}, name="Tiny"))
        facts = ask(endpoint)
        assert (facts["uid"], facts["gid"]) == (65534, 65534)
        environ = facts["environ"]
        assert (environ["A"], environ["B"], environ["HOME"]) == ("1", "2", "/tmp")
        assert environ["OPENENV_GYM_TOKEN"] == endpoint.token
        found = docker_client.containers.get(provider.name)
        assert [mount["Destination"] for mount in found.attrs["Mounts"]] == ["/data"]
        assert found.labels["openenv-gym.name"] == "Tiny"
        assert found.labels["openenv-gym.provider"] == "DockerProvider"
        assert endpoint.token not in json.dumps([found.labels, found.name])


def test_the_engine_keeps_every_default(base_image: str, docker_client: docker.DockerClient):
    """It took them all; what they do is tried from inside in test_hardening.py."""
    provider = DockerProvider(command=COMMAND)
    with provider:
        provider.start(ServerSpec(image=base_image))
        kept = docker_client.containers.get(provider.name).attrs["HostConfig"]
        asked = provider._options.engine_configuration(provider._image, {}, {})["HostConfig"]
        names = ["CapDrop", "SecurityOpt", "ReadonlyRootfs", "Memory", "MemorySwap", "CpuQuota", "PidsLimit"]
        names += ["Tmpfs", "IpcMode", "ShmSize", "LogConfig", "Init", "PortBindings", "Privileged"]
        assert {name: kept[name] for name in names} == {name: asked[name] for name in names}
        assert kept["Ulimits"] == [{"Name": "core", "Soft": 0, "Hard": 0}]
        assert kept["RestartPolicy"]["Name"] == "no"


def test_options_reach_the_container(base_image: str, docker_client: docker.DockerClient, tmp_path: Path):
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("from outside")
    network = docker_client.networks.create(f"openenv-gym-{tmp_path.name}-{os.getpid()}")
    options: dict[str, Any] = {
        "network": network.name,
        "volumes": {str(tmp_path): "/mounted:ro"},
        "extra_hosts": {"gitea": "10.1.2.3"},
        "user": "1000:1000",
        "writable": ["/var/cache"],
        "ulimits": {"nofile": 123},
    }
    try:
        with DockerProvider(command=COMMAND, **options) as provider:
            facts = ask(provider.start(ServerSpec(image=base_image)))
            assert (facts["uid"], facts["gid"]) == (1000, 1000)
            found = docker_client.containers.get(provider.name)
            assert list(found.attrs["NetworkSettings"]["Networks"]) == [network.name]
            assert found.exec_run("cat /mounted/file").output == b"from outside"
            assert b"10.1.2.3\tgitea" in found.exec_run("cat /etc/hosts").output
            assert found.exec_run("sh -c 'ulimit -n'").output == b"123\n"
            assert found.exec_run("touch /var/cache/mine", user="root").exit_code == 0
            assert found.exec_run("touch /mounted/mine", user="root").exit_code != 0
    finally:
        network.remove()


def ask(endpoint: Endpoint) -> dict[str, Any]:
    with urllib.request.urlopen(endpoint.base_url, timeout=60) as reply:
        return json.load(reply)


def test_what_somebody_else_removes_is_no_trouble(base_image: str, docker_client: docker.DockerClient):
    """The engine refuses to remove what it is removing."""
    provider = DockerProvider(command=COMMAND)
    provider.start(ServerSpec(image=base_image))
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(provider._engine().remove_container, provider.name) for _ in range(2)]
        provider.kill()
        for other in others:
            other.result()
    assert docker_client.api.containers(all=True, filters={"name": provider.name}) == []


def test_ports_that_are_taken_are_passed_over(base_image: str):
    """Another engine on the same machine picks from the same ports, in the same order."""
    spec = ServerSpec(image=base_image)
    with DockerProvider(command=COMMAND) as first, ExitStack() as taken:
        port = int(first.start(spec).base_url.rpartition(":")[2])
        for number in range(port + 1, port + 40):
            with suppress(OSError):
                taken.enter_context(socket.create_server(("127.0.0.1", number)))
        with DockerProvider(command=COMMAND) as second:
            assert ask(second.start(spec))["uid"] == 65534


def test_port_is_published_where_asked(base_image: str):
    with DockerProvider(command=COMMAND, bind="127.0.0.2") as provider:
        endpoint = provider.start(ServerSpec(image=base_image))
        assert endpoint.base_url.startswith("http://127.0.0.2:")
        assert ask(endpoint)["uid"] == 65534
    with DockerProvider(command=COMMAND, bind="0.0.0.0") as provider:
        assert provider.start(ServerSpec(image=base_image)).base_url.startswith("http://127.0.0.1:")
