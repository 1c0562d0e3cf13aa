"""Execution ``thread``: one thread a session, so that construct, step and close share it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from openenv_gym.server.executors.job_thread import JobThread
from openenv_gym.server.executors.lane import Lane, LaneExecutor
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.host import EnvironmentHost
from openenv_gym.server.jobs import HostReply, Job
from openenv_gym.wire.messages import ErrorReply


class ThreadLane(Lane):
    """Runs an environment on one thread. Nothing can interrupt it there."""

    def __init__(self, host: EnvironmentHost, runaways: Runaways) -> None:
        super().__init__(host.definition.name, runaways)
        self._host = host
        self._thread = JobThread(f"session-{self.label}", self._close_host)

    def open(self, done: Callable[[ErrorReply | None], None]) -> None:
        """See `Lane.open`."""
        self._thread.put(self._host.open, partial(self._deliver, done))

    def handle(self, job: Job, timeout: float | None, done: Callable[[HostReply], None]) -> None:
        """See `Lane.handle`."""
        self._thread.put(partial(self._host.handle, job, timeout), partial(self._deliver, done))

    def stop(self) -> None:
        """See `Lane.stop`."""
        self._thread.stop()

    def interrupt(self) -> None:
        """See `Lane.interrupt`; a thread runs on."""

    def _close_host(self) -> None:
        try:
            self._host.close()
        finally:
            self._end()


class ThreadExecutor(LaneExecutor):
    """Runs an environment on a thread of its own, started when it opens."""

    def _start_lane(self) -> ThreadLane:
        return ThreadLane(EnvironmentHost(self.definition), self.runaways)
