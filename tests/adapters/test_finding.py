"""Which server an environment gets, by what it is told; and that a forgotten one is freed."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from typing import Any

import gymnasium
import pytest

from openenv_gym import ProcessProvider, RemoteEnv, RemoteVectorEnv
from openenv_gym.adapters.finding import find_servers
from openenv_gym.client.fleet import Fleet
from openenv_gym.errors import MissingExtraError, NotSupportedError, UsageError
from openenv_gym.providers import Endpoint, Provider, ServerSpec
from tests.client.patience import wait_until
from tests.servers import LiveServer

ECHO = "echo_env.server.app:app"


class Elsewhere(Provider):
    """Takes down what it is asked for, and answers with a server that runs already."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.specs: list[ServerSpec] = []
        self.stopped = threading.Event()

    def start(self, spec: ServerSpec) -> Endpoint:
        self.specs.append(spec)
        return Endpoint(self.url)

    def stop(self) -> None:
        self.stopped.set()

    def logs(self) -> str:
        return ""


@pytest.fixture
def provider(corridor: LiveServer) -> Elsewhere:
    return Elsewhere(corridor.base_url)


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_an_image_that_is_asked_for_is_what_is_run(make: Any, provider: Elsewhere) -> None:
    make("openenv/Echo-v0", image="mine:1", provider=provider, env_vars={"COLOUR": "red"}).close()
    assert provider.specs == [ServerSpec(image="mine:1", environ={"COLOUR": "red"})]
    assert provider.stopped.is_set()


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_a_provider_is_offered_all_that_is_known_of_the_environment(make: Any, provider: Elsewhere) -> None:
    make("openenv/Echo-v0", provider=provider).close()
    assert provider.specs == [ServerSpec(app=ECHO, image="echo-env:latest")]


@pytest.mark.parametrize("is_class", [False, True])
def test_several_containers_are_a_fleet(is_class: bool, corridor: LiveServer) -> None:
    """Of copies of the provider, or of what a function makes."""
    made: list[Elsewhere] = []

    class Counted(Elsewhere):
        def __init__(self, url: str = corridor.base_url) -> None:
            super().__init__(url)
            made.append(self)

    provider: Any = Counted if is_class else Counted()
    envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=4, num_containers=3, provider=provider)
    envs.reset(seed=1)
    used = [one for one in made if one.specs]
    spec = ServerSpec(app=ECHO, image="echo-env:latest")
    named = [[replace(spec, name=f"echo-env-{number}")] for number in range(3)]
    assert sorted((one.specs for one in used), key=str) == named
    assert not any(one.stopped.is_set() for one in used)
    envs.close()
    assert all(one.stopped.is_set() for one in used)


def test_programs_are_no_substitute_for_an_image() -> None:
    with pytest.raises(NotSupportedError, match="image"):
        gymnasium.make("openenv/Echo-v0", image="mine:1", provider=ProcessProvider())


@pytest.mark.parametrize(
    "also",
    [
        {"provider": ProcessProvider()},
        {"image": "mine:1"},
        {"env_vars": {"COLOUR": "red"}},
        {"num_containers": 2},
    ],
)
def test_what_runs_already_is_not_started(also: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"base_url= or {next(iter(also))}="):
        find_servers("http://127.0.0.1:9", server=ECHO, **also)


def test_other_arguments_that_exclude_each_other(provider: Elsewhere) -> None:
    with pytest.raises(UsageError, match="token= goes with base_url="):
        find_servers(token="t", server=ECHO)
    with pytest.raises(UsageError, match="empty"):
        find_servers([])
    with pytest.raises(UsageError, match=r"base_url=.*image="):
        find_servers(extra="steam")
    with pytest.raises(UsageError, match="ProcessProvider"):
        find_servers(provider=provider, server=ECHO, workers=2)
    with pytest.raises(UsageError, match="workers="):
        find_servers(image="mine:1", workers=2)
    with pytest.raises(UsageError, match="a size of its own"):
        find_servers(provider=Fleet(provider, 2), num_containers=2, server=ECHO)
    with pytest.raises(UsageError, match="DockerProvider"):
        find_servers(provider="docker", server=ECHO)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=r"openenv-gym\[steam\]"):
        find_servers(server="no_such_package.app:app", extra="steam")
    assert provider.specs == []


def test_environment_variables_of_the_server_by_default() -> None:
    app = "tests.adapters.whereabouts:app"
    with RemoteEnv(server=app, env_vars={"COLOUR": "red"}) as red, RemoteEnv(server=app) as plain:
        seen = [env.reset(seed=1)[0] for env in (red, plain)]
        assert [view["colour"] for view in seen] == ["red", ""]
        assert seen[0]["pid"] != seen[1]["pid"]


def test_an_environment_that_is_forgotten_gives_its_server_back(provider: Elsewhere) -> None:
    for kind in (RemoteEnv, RemoteVectorEnv):
        provider.stopped.clear()
        env = kind(provider=provider, server=ECHO)
        env.reset(seed=1)
        with pytest.warns(ResourceWarning, match="unclosed <SessionPool"):
            del env
            gc.collect()
        assert provider.stopped.wait(60)


def test_a_fork_keeps_the_server_that_its_origin_has_forgotten() -> None:
    process = ProcessProvider()
    env = RemoteEnv(provider=process, server=ECHO)
    env.reset(seed=1)
    fork = env.fork()
    with pytest.warns(ResourceWarning):
        del env
        gc.collect()
    fork.step({"message": "still here"})
    fork.close()
    del fork
    gc.collect()
    wait_until(lambda: not process.running)
