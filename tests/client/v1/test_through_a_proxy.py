"""Clients and the real server with a proxy between that cuts: no step is lost, none runs twice."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from openenv_gym import RemoteVectorEnv
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.client.pool import SessionPool
from openenv_gym.models import Action, Observation, State
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.server import Environment, create_app
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.client.patience import wait_until
from tests.proxy import Proxy
from tests.servers import LiveServer

PATIENCE = 30.0  # seconds; only what is broken takes them
Serve = Callable[..., LiveServer]


class Tick(Action):
    nap: float = 0.0


class Ticked(Observation):
    ticks: int


class Clock(Environment[Tick, Ticked, State]):
    """Counts its steps, each after a nap."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    opened = 0
    live = 0

    def __init__(self) -> None:
        super().__init__()
        Clock.opened += 1
        Clock.live += 1
        self._ticks = 0

    async def reset_async(self, seed: int | None = None, episode_id: str | None = None) -> Ticked:
        self._ticks = 0
        return Ticked(ticks=0)

    async def step_async(self, action: Tick, timeout_s: float | None = None) -> Ticked:
        self._ticks += 1
        ticks = self._ticks
        await asyncio.sleep(action.nap)
        return Ticked(ticks=ticks, reward=1.0)

    def reset(self, *args: Any, **options: Any) -> Ticked:
        raise NotImplementedError

    def step(self, *args: Any, **options: Any) -> Ticked:
        raise NotImplementedError

    @property
    def state(self) -> State:
        return State(step_count=self._ticks)

    def close(self) -> None:
        Clock.live -= 1


def clock_app() -> Any:
    return create_app(Clock, Tick, Ticked, env_name="clock", max_concurrent_envs=64)


@pytest.fixture
def clock(live_server: Serve) -> LiveServer:
    Clock.opened = 0
    return live_server(clock_app())


@contextmanager
def cutting(proxy: Proxy, rng: random.Random) -> Iterator[list[int]]:
    """Cut every connection again and again; gives the count of cuts."""
    over = threading.Event()
    cuts = [0]

    def cut() -> None:
        while not over.wait(rng.uniform(0.02, 0.1)):
            proxy.cut()
            cuts[0] += 1

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        yield cuts
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_pool_loses_and_repeats_nothing(clock: LiveServer, seed: int) -> None:
    rng = random.Random(seed)
    lanes = 16
    with Proxy(clock.base_url) as proxy, SessionPool([Endpoint(proxy.base_url)], lanes) as pool:
        pool.submit([(lane, Request(Op.RESET)) for lane in range(lanes)], PATIENCE)
        pool.collect(lanes)
        ticks = [0] * lanes
        with cutting(proxy, rng) as cuts:
            pool.submit([(lane, Request(Op.STEP, {"nap": 0.0})) for lane in range(lanes)], PATIENCE)
            while cuts[0] < 25 or min(ticks) < 5:
                for lane, result in pool.collect(1):
                    assert isinstance(result, Outcome), result
                    ticks[lane] += 1
                    assert result.observation["ticks"] == ticks[lane]
                    nap = rng.choice([0.0, 0.0, 0.001, 0.03])
                    pool.submit([(lane, Request(Op.STEP, {"nap": nap}))], PATIENCE)
        pool.collect(lanes)
    assert Clock.opened == lanes
    wait_until(lambda: Clock.live == 0)


def test_single_clients_do_not_notice_a_cut(clock: LiveServer) -> None:
    with Proxy(clock.base_url) as proxy, GenericEnvClient(proxy.base_url).sync() as client:
        client.reset()
        for count in range(1, 6):
            proxy.cut()
            assert client.step({}).observation["ticks"] == count
    wait_until(lambda: Clock.live == 0)


async def test_a_cut_in_the_middle_of_a_call(clock: LiveServer) -> None:
    with Proxy(clock.base_url) as proxy:
        async with GenericEnvClient(proxy.base_url) as client:
            await client.reset()
            running = asyncio.create_task(client.step({"nap": 0.3}))
            await asyncio.sleep(0.1)
            proxy.cut()
            assert (await running).observation["ticks"] == 1
            assert (await client.step({})).observation["ticks"] == 2


def test_siblings_share_the_connection_and_close_alone(clock: LiveServer) -> None:
    with GenericEnvClient(clock.base_url).sync() as client:
        client.reset()
        others = [client.new_session() for _ in range(3)]
        for other in others:
            other.reset()
        assert Clock.live == 4
        others[0].close()
        others[0].close()
        assert Clock.live == 3
        assert others[1].step({}).observation["ticks"] == 1
    assert Clock.live == 0


def test_another_server_in_the_place_of_the_first_is_one_fault_a_lane(live_server: Serve) -> None:
    first, second = live_server(clock_app()), live_server(clock_app())
    with Proxy(first.base_url) as proxy, RemoteVectorEnv(proxy.base_url, num_envs=4) as envs:
        envs.reset(seed=1)
        still = {"nap": np.zeros(4)}
        envs.step(still)
        proxy.retarget(second.base_url)
        proxy.cut()
        faults = np.zeros(4, dtype=int)
        ticks = []
        for _ in range(4):
            observation, *_, infos = envs.step(still)
            faults += [bool(fault) for fault in infos["fault"]]
            ticks.append(observation["ticks"].tolist())
        assert faults.tolist() == [1] * 4
        assert ticks == [[1] * 4, [0] * 4, [1] * 4, [2] * 4]
