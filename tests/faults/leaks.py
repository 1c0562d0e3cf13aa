"""Neither side holds more after the faults than before: slots, sockets, threads, processes, tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openenv_gym import RemoteEnv
from openenv_gym.client.io_thread import io_thread
from tests.client.patience import wait_until
from tests.faults.chain_server import PATIENCE, ChainServer


@contextmanager
def nothing_left_behind(server: ChainServer) -> Iterator[None]:
    """Check that neither side holds more afterwards than before."""
    with RemoteEnv(server.base_url) as env:  # what is made once and kept is no leak
        env.reset()
    loop = io_thread().loop

    def fds() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def tasks() -> int:
        return len(asyncio.all_tasks(loop))

    before = server.holdings()
    tasks_before, threads_before, fds_before = tasks(), threading.active_count(), fds()
    yield
    settle(server, before)
    wait_until(lambda: tasks() <= tasks_before)
    wait_until(lambda: threading.active_count() <= threads_before)
    wait_until(lambda: fds() <= fds_before)


def settle(server: ChainServer, before: dict[str, int]) -> None:
    """Wait until a server holds no more than before, all its slots are free, and it says so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        now, free = server.holdings(), server.free_slots()
        if free == server.capacity and all(now[name] <= before[name] for name in before):
            return
        assert time.monotonic() < deadline, f"leaked: {now} after {before}, {free} slots free\n{server.log}"
        time.sleep(0.05)
