"""Execution ``thread``: one thread a session, so that construct, step and close share it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from openenv_gym.server.executors.job_thread import JobThread
from openenv_gym.server.executors.lane import Lane, LaneExecutor
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.host import Answer, EnvironmentHost, Job
from openenv_gym.wire.messages import ErrorReply, Reply


class ThreadLane(Lane):
    """Runs an environment on one thread. Nothing can interrupt it there."""

    def __init__(self, host: EnvironmentHost, runaways: Runaways) -> None:
        super().__init__(host.definition.name, runaways)
        self._host = host
        self._thread = JobThread(f"session-{self.label}", self._close_host)

    def open(self) -> asyncio.Future[ErrorReply | None]:
        """See `Lane.open`."""
        return self._put(self._host.open)

    def handle(self, job: Job, timeout: float | None) -> asyncio.Future[Reply | Answer | None]:
        """See `Lane.handle`."""
        return self._put(partial(self._host.handle, job, timeout))

    def stop(self) -> None:
        """See `Lane.stop`."""
        self._thread.stop()

    def interrupt(self) -> None:
        """See `Lane.interrupt`; a thread runs on."""

    def _put(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        future = self._new_future()
        self._thread.put(function, partial(self._deliver, future))
        return future

    def _close_host(self) -> None:
        try:
            self._host.close()
        finally:
            self._end()


class ThreadExecutor(LaneExecutor):
    """Runs an environment on a thread of its own, started when it opens."""

    def _start_lane(self) -> ThreadLane:
        return ThreadLane(EnvironmentHost(self.definition), self.runaways)
