"""From a container image to a session, by every way a user may ask for it; and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from functools import partial

import docker
import gymnasium
import pytest

from echo_env import EchoAction, EchoEnv
from openenv_gym.errors import UsageError
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.docker.labels import OWNER, Owner
from tests.client.patience import wait_until

Containers = Callable[[], list[str]]


@pytest.fixture
def containers(docker_client: docker.DockerClient) -> Iterator[Containers]:
    """The names of this process's containers; in the end there must be none."""

    def of_this_process() -> list[str]:
        return names_of(docker_client, os.getpid())

    yield of_this_process
    wait_until(lambda: not of_this_process())


def names_of(client: docker.DockerClient, pid: int) -> list[str]:
    found = client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True)
    owners = {container.name: Owner.parse(container.labels[OWNER]) for container in found}
    return [name for name, owner in owners.items() if owner is not None and owner.pid == pid]


# --- clients ------------------------------------------------------------------------------------------------


async def test_a_client_for_asyncio(echo_image: str, containers: Containers) -> None:
    client = await EchoEnv.from_docker_image(echo_image)
    (await client.reset(seed=1))
    result = await client.step(EchoAction(message="Hello, World!"))
    assert (result.observation.echoed_message, result.reward) == ("Hello, World!", 1.3)
    assert len(containers()) == 1
    await client.close()
    assert containers() == []


def test_a_client_for_all_other_code(
    echo_image: str, containers: Containers, docker_client: docker.DockerClient
) -> None:
    handle = EchoEnv.from_docker_image(
        echo_image, env_vars={"MAX_CONCURRENT_ENVS": "3"}, memory="300m", message_timeout_s=30.0
    )
    assert containers() == []
    with handle.sync() as client:
        client.reset()
        (name,) = containers()
        settings = docker_client.containers.get(name).attrs
        assert settings["HostConfig"]["Memory"] == 300 * 2**20
        assert "MAX_CONCURRENT_ENVS=3" in settings["Config"]["Env"]
    assert containers() == []


def test_a_space_s_image(echo_image: str, docker_client: docker.DockerClient, containers: Containers) -> None:
    """The registry is out of reach here: what would be pulled is there already."""
    name, tag = f"registry.hf.space/openenv-gym-tests-echo-{os.getpid()}", "v2"
    docker_client.images.get(echo_image).tag(name, tag)
    try:
        space = f"OpenEnv_Gym/tests_echo_{os.getpid()}"
        with EchoEnv.from_env(space, tag=tag).sync() as client:
            assert client.reset().observation.echoed_message
            assert len(containers()) == 1
    finally:
        docker_client.images.remove(f"{name}:{tag}")


# --- environments -------------------------------------------------------------------------------------------


def test_gymnasium_make(echo_image: str, containers: Containers) -> None:
    with gymnasium.make("openenv/Echo-v0", image=echo_image) as env:
        env.reset(seed=1)
        observation, reward, *_ = env.step({"message": "four"})
        assert (observation["echoed_message"], reward) == ("four", pytest.approx(0.4))
        assert len(containers()) == 1
    assert containers() == []


def test_several_containers(echo_image: str, containers: Containers) -> None:
    envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=6, image=echo_image, num_containers=3)
    try:
        envs.reset(seed=1)
        _, rewards, *_ = envs.step([{"message": "four"}] * 6)
        assert rewards.tolist() == [pytest.approx(0.4)] * 6
        assert len(containers()) == 3
    finally:
        envs.close()
    assert containers() == []


def test_the_image_of_the_environment_s_own(
    echo_image: str, docker_client: docker.DockerClient, containers: Containers
) -> None:
    """Asked for by nothing but a provider of containers."""
    with (
        pytest.raises(Exception, match="echo-env:latest"),  # it is not built here, and may not be pulled
        gymnasium.make("openenv/Echo-v0", provider=DockerProvider(pull="never")),
    ):
        pass
    assert containers() == []


def test_environments_in_processes_of_their_own(
    echo_image: str, docker_client: docker.DockerClient, containers: Containers
) -> None:
    """Each makes a provider and a container of its own."""
    provider = partial(DockerProvider, memory="300m")
    envs = gymnasium.make_vec(
        "openenv/Echo-v0", num_envs=2, vectorization_mode="async", image=echo_image, provider=provider
    )
    pids = [process.pid for process in envs.processes]
    try:
        envs.reset(seed=1)
        _, rewards, *_ = envs.step(envs.action_space.sample())
        assert rewards.shape == (2,)
        assert [len(names_of(docker_client, pid)) for pid in pids] == [1, 1]
    finally:
        envs.close()
    wait_until(lambda: not any(names_of(docker_client, pid) for pid in pids))


# --- what is left behind ------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["at once", "made", "started"])
async def test_a_cancelled_start(moment: str, echo_image: str, containers: Containers) -> None:
    starting = asyncio.ensure_future(EchoEnv.from_docker_image(echo_image)._start())
    await asyncio.sleep(0)
    if moment != "at once":
        await asyncio.to_thread(wait_until, containers)
    if moment == "started":
        await asyncio.sleep(0.1)  # somewhere in the wait for its server; any moment will do
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert containers() == []


async def test_a_start_that_takes_too_long(echo_image: str, containers: Containers) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await EchoEnv.from_docker_image(echo_image)
    assert containers() == []


def test_an_environment_whose_construction_fails(echo_image: str, containers: Containers) -> None:
    for make in (gymnasium.make, gymnasium.make_vec):
        with pytest.raises(UsageError, match="renders nothing"):
            make("openenv/Echo-v0", image=echo_image, render_mode="ansi")
        assert containers() == []


def test_what_is_forgotten(echo_image: str, containers: Containers) -> None:
    env = gymnasium.make("openenv/Echo-v0", image=echo_image)
    env.reset(seed=1)
    client = EchoEnv.from_docker_image(echo_image).sync()
    assert len(containers()) == 2
    with pytest.warns(ResourceWarning, match="unclosed"):
        del env, client
        gc.collect()
    wait_until(lambda: not containers())
