"""Executors around the battery's environments, closed again, with nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.server.definition import define
from openenv_gym.server.executors import Executor, Runaways, make_executor
from openenv_gym.server.executors.loop_thread import environment_loop
from openenv_gym.testing import process_tree
from tests.server import battery

Make = Callable[..., Executor]
_PATIENCE = 20.0  # seconds; a look takes a good part of one where many tests have left garbage


@pytest.fixture
def runaways() -> Runaways:
    return Runaways()


@pytest.fixture
async def make(runaways: Runaways) -> AsyncIterator[Make]:
    """Make executors, not yet open: ``make(Environment, execution)``.

    Each is closed when the test ends; a thread, process or open file that is then left over fails the test.
    """
    battery.release.clear()
    environment_loop()  # runs until the process ends, so it is no leak
    before = _open_things()
    made: list[Executor] = []

    def make_one(env: Any, execution: str, **options: Any) -> Executor:
        options = {"action_cls": battery.Do, "observation_cls": battery.Seen, **options}
        executor = make_executor(define(env, execution=execution, **options), runaways)
        made.append(executor)
        return executor

    yield make_one
    battery.release.set()
    for executor in made:
        await executor.close()
    give_up_at = time.monotonic() + _PATIENCE
    while (leaked := _open_things() - before) and time.monotonic() < give_up_at:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # what ends a moment later, in another thread or process, is no leak
    assert not leaked


def _open_things() -> set[str]:
    gc.collect()
    files = {f"file {fd.name} {_target(fd)}" for fd in Path("/proc/self/fd").iterdir()}
    files = {file for file in files if not file.endswith("/fd")}
    threads = {f"thread {thread.ident} {thread.name}" for thread in threading.enumerate()}
    processes = {f"process {pid}" for pid in process_tree.children(os.getpid())}
    return files | threads | processes


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return "/fd"  # the listing's own


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens elsewhere."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - it happens in another process or thread
            await asyncio.sleep(0.005)
