"""Execution ``async``: one task a session on a second event loop, where it holds up no socket.

All of a session runs in one task, because structured concurrency (anyio's cancel scopes and whatever is built
on them) must be left in the task that entered it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from openenv_gym.server.definition import EnvironmentDefinition, Execution
from openenv_gym.server.executors.job_thread import JobThread
from openenv_gym.server.executors.lane import Lane, LaneExecutor
from openenv_gym.server.executors.loop_thread import environment_loop
from openenv_gym.server.executors.mailbox import mailbox_of
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.host import EnvironmentHost
from openenv_gym.server.jobs import HostReply, Job
from openenv_gym.wire.messages import ErrorReply

logger = logging.getLogger(__name__)

_Entry = tuple[Job | None, float | None, Callable[[Any], None]]
"""A job, or none for making the environment; the seconds it may take; who gets what comes of it."""


class TaskLane(Lane):
    """Runs an environment in one task.

    Args:
        definition: The environment.
        runaways: See `Lane`.
        loop: Where the task runs; it may be the home loop itself.
    """

    def __init__(
        self, definition: EnvironmentDefinition, runaways: Runaways, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(definition.name, runaways)
        self._host = EnvironmentHost(definition, self._offload)
        self._loop = loop
        self._entries: list[_Entry | None] = []  # at most a job, and the stop that is none
        self._idle: asyncio.Future[None] | None = None  # while the task waits for an entry
        self._task: asyncio.Task[None] | None = None
        self._thread: JobThread | None = None
        self._there = mailbox_of(loop).post
        self._there(self._begin)

    def open(self, done: Callable[[ErrorReply | None], None]) -> None:
        """See `Lane.open`."""
        self._there(self._put, (None, None, done))

    def handle(self, job: Job, timeout: float | None, done: Callable[[HostReply], None]) -> None:
        """See `Lane.handle`."""
        self._there(self._put, (job, timeout, done))

    def stop(self) -> None:
        """See `Lane.stop`."""
        self._there(self._put, None)

    def interrupt(self) -> None:
        """Cancel the task: the running call is left, and the environment closed."""
        self._there(self._cancel)

    # --- on the other loop

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._main(), name=f"session-{self.label}")

    def _put(self, entry: _Entry | None) -> None:
        self._entries.append(entry)
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _main(self) -> None:
        try:
            await self._work()
            await self._host.close_async()
        except asyncio.CancelledError:
            logger.error("%s: close() was interrupted, it took too long", self.label)
        finally:
            if self._thread is None:
                self._end()
            else:
                self._thread.stop()

    async def _work(self) -> None:
        """Run jobs until told to stop, by a job that is none or by cancellation."""
        host = self._host
        try:
            while True:
                while not self._entries:
                    self._idle = self._loop.create_future()
                    await self._idle
                entry = self._entries.pop(0)
                if entry is None:
                    break
                job, timeout, done = entry
                reply = await (host.open_async() if job is None else host.handle_async(job, timeout))
                self._deliver(done, reply)
                del entry, job, done, reply  # keep nothing alive while waiting for the next one
        except asyncio.CancelledError:
            logger.warning("%s: the running call was cancelled", self.label)
        while self._task is not None and self._task.uncancel():
            pass  # the environment's close() begins with a clean slate

    async def _offload(self, call: Callable[[], Any]) -> Any:
        """Run a synchronous method of an otherwise asynchronous environment, on a thread of its own."""
        if self._thread is None:
            self._thread = JobThread(f"session-{self.label}", self._end)
        done: asyncio.Future[tuple[Any, BaseException | None]] = self._loop.create_future()
        self._thread.put(partial(_outcome, call), partial(self._there, done.set_result))
        cancelled = None
        while not done.done():
            try:
                await asyncio.shield(done)
            except asyncio.CancelledError as cancellation:
                cancelled = cancellation  # the thread cannot be left: close() must not overlap with its call
        if cancelled is not None:
            raise cancelled
        result, error = done.result()
        if error is not None:
            raise error
        return result


def _outcome(call: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return call(), None
    except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
        return None, error


class AsyncExecutor(LaneExecutor):
    """Runs an environment in a task: on the process's second loop, or under ``inline`` on the server's."""

    def _start_lane(self) -> TaskLane:
        inline = self.definition.execution is Execution.INLINE
        loop = asyncio.get_running_loop() if inline else environment_loop()
        return TaskLane(self.definition, self.runaways, loop)
