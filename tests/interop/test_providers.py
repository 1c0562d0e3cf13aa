"""Container providers that were written on OpenEnv's own base class."""

from __future__ import annotations

from typing import Any

from openenv.core.containers.runtime.providers import ContainerProvider

from echo_env import EchoEnv
from echo_env.server.app import app
from openenv_gym import RemoteEnv
from openenv_gym.client.schemas import fetch_schema
from openenv_gym.providers import Endpoint
from tests.servers import LiveServer


class Lent(ContainerProvider):
    """Lends out a server; it waits for it with this library's own means."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[str] = []

    def start_container(
        self, image: str, port: int | None = None, env_vars: dict[str, str] | None = None, **kwargs: Any
    ) -> str:
        self.calls.append(f"start {image} {env_vars} {kwargs}")
        return self.url

    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        assert "observation" in fetch_schema(Endpoint(base_url), timeout=timeout_s)

    def stop_container(self) -> None:
        self.calls.append("stop")


def test_clients_and_environments_take_openenv_s_providers() -> None:
    server = LiveServer(app).start()
    try:
        lent = Lent(server.base_url)
        with EchoEnv.from_docker_image("echo-env:latest", lent, env_vars={"A": "1"}, cpus=2).sync() as client:
            assert client.reset().observation.echoed_message
        assert lent.calls == ["start echo-env:latest {'A': '1'} {'cpus': 2}", "stop"]
        lent = Lent(server.base_url)
        with RemoteEnv(image="echo-env:latest", provider=lent) as env:
            env.reset(seed=1)
        assert lent.calls == ["start echo-env:latest {} {}", "stop"]
    finally:
        server.stop()
