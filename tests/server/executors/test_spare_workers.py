"""Workers started ahead: taken once, replaced, given up when they cannot be made, ended with their server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.server.definition import define
from openenv_gym.server.executors import Executor, Runaways, SpareWorkers, make_executor
from openenv_gym.testing import process_tree
from tests.server import battery
from tests.server.executors.conftest import until
from tests.server.executors.test_every_execution import step

BATTERY = define(battery.Battery, execution="process", action_cls=battery.Do, observation_cls=battery.Seen)


Children = Callable[[], set[int]]


@pytest.fixture
def children() -> Children:
    """The processes that the test has started and that run."""
    before = _children()
    return lambda: _children() - before


@pytest.fixture
async def workers(children: Children) -> AsyncIterator[SpareWorkers]:
    workers = SpareWorkers(BATTERY, 1)
    yield workers
    await workers.close()
    await workers.close()
    assert not children()


async def test_a_prepared_worker_serves_the_next_session(workers: SpareWorkers, children: Children) -> None:
    workers.open()
    await until(lambda: workers.ready == 1)
    (spare,) = children()
    first, second = (make_executor(BATTERY, Runaways(), workers) for _ in range(2))
    await asyncio.gather(first.open(), second.open())
    pids = [await _pid(executor) for executor in (first, second)]
    assert spare in pids
    assert pids[0] != pids[1]
    await until(lambda: workers.ready == 1)
    assert children() - set(pids), "another one is kept"
    await first.close()
    await second.close()


async def test_a_spare_that_died_is_not_given_out(workers: SpareWorkers, children: Children) -> None:
    workers.open()
    await until(lambda: workers.ready == 1)
    (spare,) = children()
    os.kill(spare, signal.SIGKILL)
    await until(lambda: _has_ended(spare))
    executor = make_executor(BATTERY, Runaways(), workers)
    await executor.open()
    assert await _pid(executor) != spare
    await executor.close()


async def test_what_cannot_be_imported_is_told_to_every_session(children: Children) -> None:
    assert BATTERY.recipe is not None
    gone = replace(BATTERY, recipe=replace(BATTERY.recipe, function="tests.server.that_is_gone:define"))
    workers = SpareWorkers(gone, 1)
    workers.open()
    for _ in range(2):
        executor = make_executor(gone, Runaways(), workers)
        with pytest.raises(EnvironmentFailedError, match="could not be imported in a worker"):
            await executor.open()
        await executor.close()
    await workers.close()
    assert not children()


async def test_closing_ends_a_worker_that_is_still_being_prepared(children: Children) -> None:
    workers = SpareWorkers(BATTERY, 2)
    workers.open()
    await until(lambda: bool(children()))
    await workers.close()
    assert not children()


async def test_workers_are_started_ahead_while_it_is_open(workers: SpareWorkers, children: Children) -> None:
    for _ in range(2):
        executor = make_executor(BATTERY, Runaways(), workers)
        await executor.open()
        pid = await _pid(executor)
        await executor.close()
        await asyncio.sleep(0)
        assert children() <= {pid}
        workers.open()
        await until(lambda: workers.ready == 1)
        await workers.close()


async def _pid(executor: Executor) -> int:
    pid: int = (await step(executor, "where")).observation["value"][0]
    return pid


def _children() -> set[int]:
    """Worker processes of this one that run; other tests' servers and sandboxes are children too."""
    return {pid for pid in process_tree.children(os.getpid()) if _is_worker(pid)}


def _is_worker(pid: int) -> bool:
    try:
        return (
            b"openenv_gym.server.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )  # a zombie's is empty
    except FileNotFoundError:
        return False


def _has_ended(pid: int) -> bool:
    """Whether a child has ended with all of its threads; its zombie may be there before."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
