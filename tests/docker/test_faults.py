"""A vector environment over eight containers survives what happens to them and to their engine."""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import docker
import pytest
from docker.models.containers import Container

from openenv_gym import RemoteVectorEnv
from openenv_gym.client.fleet import Fleet, ServerPhase
from openenv_gym.client.fleet.health import HealthRules
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import ServerSpec
from tests.docker.engine import Engine, EngineOwner
from tests.docker.inside import Inside
from tests.docker.rollout import Rollout

SERVERS = 8
SESSIONS = 4  # on each
LANES = SERVERS * SESSIONS
STEP_TIMEOUT = 10.0
READY_TIMEOUT = 120.0
WATCHFUL = HealthRules(interval=0.5, timeout=2.0)

# Makes the kernel look for memory in the server.
TAKE_ALL_MEMORY = """
    import os
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) not in (1, os.getpid()):
            open(f"/proc/{name}/oom_score_adj", "w").write("1000")
    held = bytearray(1 << 30)
"""


def make_envs(fleet: Fleet) -> RemoteVectorEnv:
    return RemoteVectorEnv(provider=fleet, num_envs=LANES, step_timeout=STEP_TIMEOUT, reset_timeout=100)


def is_whole(fleet: Fleet) -> bool:
    """Whether every server is up, and has its part of the lanes."""
    servers = fleet.status()
    return len(servers) == SERVERS and all(
        server.state is ServerPhase.READY and server.sessions == SESSIONS for server in servers
    )


def restarts(fleet: Fleet) -> list[int]:
    return [server.restarts for server in fleet.status()]


def container_of(client: docker.DockerClient, url: str) -> Container:
    port = str(urlsplit(url).port)
    (found,) = (
        container
        for container in client.containers.list()
        if any(binding["HostPort"] == port for one in container.ports.values() for binding in one or ())
    )
    return found


@pytest.fixture(scope="module")
def fleet(docker_client: docker.DockerClient, echo_image: str) -> Iterator[Fleet]:
    before = {container.id for container in docker_client.containers.list(all=True)}
    fleet = Fleet(
        DockerProvider(memory="256m", ready_timeout=READY_TIMEOUT),
        SERVERS,
        spec=ServerSpec(image=echo_image, name="echo"),
        sessions_per_server=SESSIONS,
        health=WATCHFUL,
    )
    with fleet:
        yield fleet
    assert {container.id for container in docker_client.containers.list(all=True)} <= before


FAULTS: dict[str, Callable[[docker.DockerClient, Container], object]] = {
    "kill": lambda _, container: container.kill(),
    "pause": lambda _, container: container.pause(),
    "out of memory": lambda client, container: Inside(client, container.name).run(TAKE_ALL_MEMORY),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_container_costs_its_own_lanes_one_episode(
    fleet: Fleet, docker_client: docker.DockerClient, fault: str
) -> None:
    with make_envs(fleet) as envs:
        rollout = Rollout(envs)
        rollout.play(until=lambda: is_whole(fleet))
        before, victim = restarts(fleet), container_of(docker_client, fleet.status()[3].url)
        FAULTS[fault](docker_client, victim)
        rollout.play(until=lambda: sum(restarts(fleet)) > sum(before) and is_whole(fleet))
    check_losses(rollout, SESSIONS)
    assert restarts(fleet) == [count + (place == 3) for place, count in enumerate(before)]
    assert victim.id not in {container.id for container in docker_client.containers.list(all=True)}


async def test_the_asyncio_face_survives_a_kill(fleet: Fleet, docker_client: docker.DockerClient) -> None:
    with make_envs(fleet) as envs:
        rollout = Rollout(envs)
        await rollout.aplay(until=lambda: is_whole(fleet))
        before = sum(restarts(fleet))
        container_of(docker_client, fleet.status()[5].url).kill()
        await rollout.aplay(until=lambda: sum(restarts(fleet)) > before and is_whole(fleet))
    check_losses(rollout, SESSIONS)


def check_losses(rollout: Rollout, lanes: int) -> None:
    """So many lanes lost one episode each, and nobody waited longer than a step may take."""
    losses = Counter(lane for lane, _ in rollout.faults)
    assert set(losses.values()) <= {1}, rollout.faults
    assert len(losses) == lanes, rollout.faults
    assert rollout.slowest < STEP_TIMEOUT
    assert rollout.slowest_fault < STEP_TIMEOUT + 5.0  # and what this machine takes to notice


# --- the engine itself -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_engine(docker_client: docker.DockerClient, echo_image: str) -> Iterator[EngineOwner]:
    """An engine that nobody else uses, with the image."""
    engine = EngineOwner()
    try:
        with closing(docker.DockerClient(base_url=engine.host, timeout=120)) as client:
            client.images.load(docker_client.images.get(echo_image).save(named=echo_image))
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def split_fleet(engine: Engine, other_engine: EngineOwner, echo_image: str) -> Iterator[Fleet]:
    """A fleet on two engines, of which one is restarted."""
    engines = itertools.cycle([engine.host, other_engine.host])
    fleet = Fleet(
        lambda: DockerProvider(ready_timeout=READY_TIMEOUT, engine=next(engines)),
        SERVERS,
        spec=ServerSpec(image=echo_image, name="echo"),
        sessions_per_server=SESSIONS,
    )
    with fleet:
        yield fleet
    assert containers_on(other_engine) == 0


def containers_on(engine: Engine) -> int:
    with closing(docker.DockerClient(base_url=engine.host)) as client:
        return len(client.containers.list(all=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_engine_costs_its_own_lanes_one_episode(
    split_fleet: Fleet, other_engine: EngineOwner, number: signal.Signals
) -> None:
    with make_envs(split_fleet) as envs:
        rollout = Rollout(envs)
        rollout.play(until=lambda: is_whole(split_fleet))
        before, lost = sum(restarts(split_fleet)), containers_on(other_engine)
        other_engine.bring_down(number)
        rollout.play(until=lambda: sum(restarts(split_fleet)) >= before + lost and is_whole(split_fleet))
    check_losses(rollout, lost * SESSIONS)
    other_engine.wait_until_ready()


def test_an_engine_that_leaves_containers_running_costs_nothing(
    split_fleet: Fleet, other_engine: EngineOwner
) -> None:
    other_engine.keep_containers_running(True)
    try:
        with make_envs(split_fleet) as envs:
            rollout = Rollout(envs)
            rollout.play(until=lambda: is_whole(split_fleet))
            before, pid = restarts(split_fleet), other_engine.pid
            other_engine.bring_down(signal.SIGKILL)
            rollout.play(until=lambda: other_engine.alive and other_engine.pid != pid)
            assert is_whole(split_fleet)
        assert rollout.faults == []
        assert restarts(split_fleet) == before
    finally:
        other_engine.keep_containers_running(False)
