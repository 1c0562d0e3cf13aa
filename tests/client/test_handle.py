"""Factories' handles, and clients that start their own server."""

from __future__ import annotations

import asyncio
import copy
import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from openenv_gym.client.fleet import Fleet
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.errors import (
    ClosedError,
    MissingExtraError,
    ProviderError,
    ServerUnreachableError,
    StartupError,
    UsageError,
)
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.uv import UVProvider
from tests.client.dialect_server import DialectServer, serving
from tests.client.patience import wait_until
from tests.providers.lent_container import LentContainer


class NearbyProvider(Provider):
    """Stands for a container engine: its "container" is a dialect server in this process."""

    def __init__(self, url: str, *, fails: bool = False) -> None:
        self.url = url
        self.fails = fails
        self.specs: list[ServerSpec] = []
        self.threads: list[threading.Thread] = []
        self.stops = 0
        self.hold = threading.Event()
        self.hold.set()

    def start(self, spec: ServerSpec) -> Endpoint:
        self.specs.append(spec)
        self.threads.append(threading.current_thread())
        if self.fails:
            raise StartupError("it died", "last words")
        self.hold.wait(30)
        if self.stops:
            raise ClosedError("stopped while it started")
        return Endpoint(self.url, "t0ken")

    def stop(self) -> None:
        self.stops += 1
        self.hold.set()

    def logs(self) -> str:
        return ""


@pytest.fixture
def provider(url: str) -> Iterator[NearbyProvider]:
    yield NearbyProvider(url)


async def test_awaiting_a_handle_starts_the_server(provider: NearbyProvider, server: DialectServer) -> None:
    handle = GenericEnvClient.from_docker_image("echo-env:latest", provider, env_vars={"A": "1"})
    assert provider.specs == []
    client = await handle
    assert isinstance(client, GenericEnvClient)
    assert provider.specs == [ServerSpec(image="echo-env:latest", environ={"A": "1"})]
    assert provider.threads != [threading.current_thread()]
    await client.reset()
    assert client.base_url == provider.url
    await client.close()
    assert (provider.stops > 0, server.live) == (True, 0)


def test_a_handle_without_async(provider: NearbyProvider, server: DialectServer) -> None:
    handle = GenericEnvClient.from_env(
        "Open_Env/Echo.Env", provider=provider, tag="v2", message_timeout_s=5.0
    )
    with handle.sync() as client:
        assert provider.specs == [ServerSpec(image="registry.hf.space/open-env-echo-env:v2")]
        client.reset()
        assert server.live == 1
    assert (provider.stops > 0, server.live) == (True, 0)


def test_a_handle_starts_one_client(provider: NearbyProvider) -> None:
    handle = GenericEnvClient.from_docker_image("echo-env", provider)
    handle.sync().close()
    with pytest.raises(UsageError, match="again"):
        handle.sync()
    assert len(provider.specs) == 1


async def test_any_other_use_says_what_to_do(provider: NearbyProvider) -> None:
    handle = GenericEnvClient.from_docker_image("echo-env", provider)
    both = r"await.*\.sync\(\)"
    with pytest.raises(UsageError, match=both):
        handle.reset  # noqa: B018
    with pytest.raises(UsageError, match=both):
        handle.close()
    with pytest.raises(UsageError, match=both), handle:
        pass
    with pytest.raises(UsageError, match=both):
        async with handle:
            pass
    with pytest.raises(UsageError, match=both):
        list(handle)
    assert "await it" in repr(handle)
    copy.copy(handle)


def test_a_handle_that_is_dropped_leaves_nothing(provider: NearbyProvider) -> None:
    handle = GenericEnvClient.from_docker_image("echo-env", provider)
    del handle
    gc.collect()
    assert (provider.specs, provider.stops) == ([], 0)


def test_what_the_client_does_not_take_is_for_the_provider() -> None:
    class Named(GenericEnvClient):
        def __init__(self, *args: Any, name: str = "", **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.name = name

    container = LentContainer("http://127.0.0.1:9")
    options = {"name": "Ada", "message_timeout_s": 5.0, "memory": "1g"}
    handle = Named.from_docker_image("echo-env", container, env_vars={"A": "1"}, wait_timeout=7.0, **options)
    with pytest.raises(ServerUnreachableError):
        handle.sync()
    assert container.calls == [
        ("start", "echo-env", {"A": "1"}, {"memory": "1g"}),
        ("wait", "http://127.0.0.1:9", 7.0),
        ("stop",),
    ]


def test_options_that_nobody_takes(provider: NearbyProvider) -> None:
    with pytest.raises(UsageError, match=r"memory=, ready_timeout= too: give that to NearbyProvider\("):
        GenericEnvClient.from_docker_image("echo-env", provider, memory="1g", wait_timeout=5.0)
    nothing: Any = Fleet(provider, 2)
    with pytest.raises(UsageError, match=r"DockerProvider\(\).*not <Fleet"):
        GenericEnvClient.from_docker_image("echo-env", nothing)
    with pytest.raises(UsageError, match=r"from_env\(\) takes .*'memry'"):
        GenericEnvClient.from_env("openenv/echo", memry="1g")


@pytest.mark.parametrize("make", [GenericEnvClient.from_docker_image, GenericEnvClient.from_env])
def test_without_a_provider_it_is_docker_s_container(make: Any) -> None:
    """Its options are taken, and where no engine answers that is what is said."""
    handle = make("openenv/echo-env", engine="tcp://127.0.0.1:9", memory="1g", gpus="all", wait_timeout=3.0)
    with pytest.raises(ProviderError, match="no Docker engine answers at"):
        handle.sync()


@pytest.mark.parametrize(
    ("project_path", "project"),
    [(None, "https://huggingface.co/spaces/openenv/echo_env"), ("/srv/echo", "/srv/echo")],
)
def test_a_space_s_repository_is_run_by_uv(
    project_path: str | None, project: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, ServerSpec]] = []

    def start(self: UVProvider, spec: ServerSpec) -> Endpoint:
        started.append((repr(self), spec))
        return Endpoint(url)

    monkeypatch.setattr(UVProvider, "start", start)
    options = {"env_vars": {"A": "1"}, "install_timeout": 900.0}
    with GenericEnvClient.from_env(
        "openenv/echo_env", use_docker=False, project_path=project_path, **options
    ).sync() as client:
        client.reset()
    assert started == [(f"UVProvider({project!r})", ServerSpec(environ={"A": "1"}))]
    with pytest.raises(UsageError, match="use_docker=False"):
        GenericEnvClient.from_env("openenv/echo_env", project_path="/srv/echo")


def test_without_the_docker_sdk_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker.errors", None)
    handle = GenericEnvClient.from_docker_image("echo-env", engine="unix:///nowhere")
    with pytest.raises(MissingExtraError, match=r"openenv-gym\[docker\]"):
        handle.sync()


@pytest.mark.parametrize("name", ["echo-env", "a/b/c", "/b", "a/"])
def test_a_space_has_an_owner_and_a_name(name: str, provider: NearbyProvider) -> None:
    with pytest.raises(UsageError, match="owner/name"):
        GenericEnvClient.from_env(name, provider=provider)


async def test_a_client_with_a_provider_starts_it_on_connecting(provider: NearbyProvider) -> None:
    client = GenericEnvClient(provider=provider, spec=ServerSpec(app="echo_env.server.app:app"))
    assert client.base_url is None
    assert "not started" in repr(client)
    await client.reset()
    await client.disconnect()
    await client.reset()
    child = await client.new_session()
    await child.reset()
    await child.close()
    assert (len(provider.specs), provider.stops) == (1, 0)
    await client.close()
    assert provider.stops == 1


def test_a_class_that_knows_its_server_needs_no_spec(provider: NearbyProvider) -> None:
    class EchoEnv(GenericEnvClient):
        server_app = "echo_env.server.app:app"

    with EchoEnv(provider=provider).sync():
        assert provider.specs == [ServerSpec(app="echo_env.server.app:app")]
    with pytest.raises(UsageError, match="spec="):
        GenericEnvClient(provider=provider)


async def test_a_server_that_does_not_start(url: str) -> None:
    provider = NearbyProvider(url, fails=True)
    with pytest.raises(StartupError, match="last words"):
        await GenericEnvClient.from_docker_image("echo-env", provider)
    with pytest.raises(StartupError, match="last words"):
        GenericEnvClient.from_docker_image("echo-env", provider).sync()


def test_a_server_that_starts_and_cannot_be_reached_is_stopped() -> None:
    with serving(DialectServer()) as url:
        pass
    for asynchronous in (False, True):
        provider = NearbyProvider(url)
        handle = GenericEnvClient.from_docker_image("echo-env", provider)
        with pytest.raises(ServerUnreachableError):
            asyncio.run(handle._start()) if asynchronous else handle.sync()
        assert provider.stops > 0


async def test_a_cancelled_start_stops_the_server(provider: NearbyProvider) -> None:
    provider.hold.clear()
    starting = asyncio.ensure_future(GenericEnvClient.from_docker_image("echo-env", provider)._start())
    await asyncio.to_thread(wait_until, lambda: provider.specs)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert provider.stops > 0


def test_a_client_that_is_forgotten_stops_its_server(provider: NearbyProvider, server: DialectServer) -> None:
    client = GenericEnvClient.from_docker_image("echo-env", provider).sync()
    child = client.new_session()
    child.reset()
    with pytest.warns(ResourceWarning) as caught:
        del client
        gc.collect()
        assert provider.stops == 0, "a session of it is still in use"
        del child
        gc.collect()
    assert "unclosed GenericEnvClient, with a session and a server" in str(caught[-1].message)
    wait_until(lambda: (provider.stops, server.live) == (1, 0))


def test_a_client_that_is_forgotten_before_it_started_anything(provider: NearbyProvider) -> None:
    client = GenericEnvClient(provider=provider, spec=ServerSpec(image="echo-env"))
    del client
    gc.collect()
    assert (provider.specs, provider.stops) == ([], 0)
