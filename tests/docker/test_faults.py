"""A vector environment over eight containers survives what happens to them and to their engine."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import docker
import pytest
from docker.models.containers import Container

from openenv_gym import RemoteVectorEnv
from openenv_gym.client.fleet import Fleet, ServerPhase
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import ServerSpec
from tests.client.patience import wait_until
from tests.docker.engine import EngineOwner
from tests.docker.inside import Inside
from tests.docker.rollout import Rollout

SERVERS = 8
SESSIONS = 4  # on each
LANES = SERVERS * SESSIONS
STEP_TIMEOUT = 10.0
READY_TIMEOUT = 120.0

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


@pytest.fixture(scope="module")
def own_engine(docker_client: docker.DockerClient, echo_image: str) -> Iterator[EngineOwner]:
    """An engine that nobody else uses, with the image."""
    engine = EngineOwner()
    try:
        with closing(docker.DockerClient(base_url=engine.host, timeout=120)) as client:
            client.images.load(docker_client.images.get(echo_image).save(named=echo_image))
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def client(own_engine: EngineOwner) -> Iterator[docker.DockerClient]:
    with closing(docker.DockerClient(base_url=own_engine.host, timeout=120)) as client:
        yield client


@pytest.fixture(scope="module")
def fleet(own_engine: EngineOwner, client: docker.DockerClient, echo_image: str) -> Iterator[Fleet]:
    fleet = Fleet(
        DockerProvider(memory="256m", ready_timeout=READY_TIMEOUT, engine=own_engine.host),
        SERVERS,
        spec=ServerSpec(image=echo_image, name="echo"),
        sessions_per_server=SESSIONS,
    )
    with fleet:
        yield fleet
    assert client.containers.list(all=True) == []


def container_of(client: docker.DockerClient, url: str) -> Container:
    port = str(urlsplit(url).port)
    (found,) = (
        container
        for container in client.containers.list()
        if any(binding["HostPort"] == port for one in container.ports.values() for binding in one or ())
    )
    return found


def are_removed(client: docker.DockerClient, old: Iterable[Container]) -> bool:
    return not {container.id for container in old} & {one.id for one in client.containers.list(all=True)}


FAULTS: dict[str, Callable[[docker.DockerClient, Container], object]] = {
    "kill": lambda _, container: container.kill(),
    "pause": lambda _, container: container.pause(),
    "out of memory": lambda client, container: Inside(client, container.name).run(TAKE_ALL_MEMORY),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_container_costs_its_own_lanes_one_episode(
    fleet: Fleet, client: docker.DockerClient, fault: str
) -> None:
    with make_envs(fleet) as envs:
        rollout = Rollout(envs)
        rollout.play(until=lambda: is_whole(fleet))
        before, victim = restarts(fleet), container_of(client, fleet.status()[3].url)
        FAULTS[fault](client, victim)
        rollout.play(until=lambda: sum(restarts(fleet)) > sum(before) and is_whole(fleet))
    check_losses(rollout, SESSIONS)
    assert restarts(fleet) == [count + (place == 3) for place, count in enumerate(before)]
    wait_until(lambda: are_removed(client, [victim]))


async def test_the_asyncio_face_survives_a_kill(fleet: Fleet, client: docker.DockerClient) -> None:
    with make_envs(fleet) as envs:
        rollout = Rollout(envs)
        await rollout.aplay(until=lambda: is_whole(fleet))
        before = sum(restarts(fleet))
        container_of(client, fleet.status()[5].url).kill()
        await rollout.aplay(until=lambda: sum(restarts(fleet)) > before and is_whole(fleet))
    check_losses(rollout, SESSIONS)


def check_losses(rollout: Rollout, lanes: int) -> None:
    """So many lanes lost one episode each, and nobody waited longer than a step may take."""
    losses = Counter(lane for lane, _ in rollout.faults)
    assert set(losses.values()) <= {1}, rollout.faults
    assert len(losses) == lanes, rollout.faults
    assert rollout.slowest < STEP_TIMEOUT
    assert rollout.slowest_fault < 3 * STEP_TIMEOUT  # its own deadline, and a busy machine's time to say so


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_engine_costs_each_lane_one_episode(
    fleet: Fleet, own_engine: EngineOwner, client: docker.DockerClient, number: signal.Signals
) -> None:
    with make_envs(fleet) as envs:
        rollout = Rollout(envs)
        rollout.play(until=lambda: is_whole(fleet))
        before, old = restarts(fleet), client.containers.list()
        own_engine.bring_down(number)
        rollout.play(
            until=lambda: (
                is_whole(fleet)
                and all(now > count for now, count in zip(restarts(fleet), before, strict=True))
            )
        )
    check_losses(rollout, LANES)
    own_engine.wait_until_ready()
    wait_until(lambda: are_removed(client, old))


def test_an_engine_that_leaves_containers_running_costs_nothing(
    fleet: Fleet, own_engine: EngineOwner
) -> None:
    own_engine.keep_containers_running(True)
    try:
        with make_envs(fleet) as envs:
            rollout = Rollout(envs)
            rollout.play(until=lambda: is_whole(fleet))
            before, pid = restarts(fleet), own_engine.pid
            own_engine.bring_down(signal.SIGKILL)
            rollout.play(until=lambda: own_engine.alive and own_engine.pid != pid)
            assert is_whole(fleet)
        assert rollout.faults == []
        assert restarts(fleet) == before
    finally:
        own_engine.keep_containers_running(False)
