"""A lane runs one session's jobs in order, away from its caller; and the executor that drives one."""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from typing import Any

from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.executors.executor import (
    CLOSE_TIMEOUT,
    Executor,
    describe,
    open_overdue,
    overdue,
    refuse_closed,
)
from openenv_gym.server.executors.mailbox import mailbox_of
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.host import Answer, Job
from openenv_gym.wire.messages import ErrorReply, Reply

logger = logging.getLogger(__name__)


class Lane(ABC):
    """Where one environment lives: a thread, or a task on some loop.

    `open`, `handle` and `stop` are called on the home loop and return at once. The lane makes the
    environment, runs its jobs and closes it in one place, one after another.

    Args:
        label: Names the environment in logs.
        runaways: Where the lane counts itself while it outlives its session.

    Attributes:
        ended: Done, on the home loop, when the lane has closed the environment and is gone.
    """

    def __init__(self, label: str, runaways: Runaways) -> None:
        home = asyncio.get_running_loop()
        self.label = label
        self.ended: asyncio.Future[None] = home.create_future()
        self._home = home
        self._mailbox = mailbox_of(home)
        self._runaways = runaways
        self._lock = threading.Lock()
        self._gone = False
        self._is_runaway = False

    @property
    def is_runaway(self) -> bool:
        """Whether the lane was given up while a call ran."""
        return self._is_runaway

    @abstractmethod
    def open(self) -> asyncio.Future[ErrorReply | None]:
        """Make the environment."""

    @abstractmethod
    def handle(self, job: Job, timeout: float | None) -> asyncio.Future[Reply | Answer | None]:
        """Run a job; the result is ``None`` when the lane was closed meanwhile."""

    @abstractmethod
    def stop(self) -> None:
        """Close the environment after the running job, and end. Idempotent."""

    @abstractmethod
    def interrupt(self) -> None:
        """Stop the running job, as far as that is possible here."""

    def run_away(self, what: str) -> None:
        """Count the lane as a runaway until it ends."""
        self._is_runaway = True
        with self._lock:
            if not self._gone:
                self._runaways.add(self, f"{self.label}: {what}")

    def _new_future(self) -> asyncio.Future[Any]:
        return self._home.create_future()

    def _deliver(self, future: asyncio.Future[Any], result: Any) -> None:
        """Hand a result home, from wherever the lane runs."""
        self._mailbox.post(_settle, future, result)

    def _end(self) -> None:
        """Report that the lane is gone; the last thing it does."""
        with self._lock:
            self._gone = True
            self._runaways.remove(self)
        self._mailbox.post(_settle, self.ended, None)


class LaneExecutor(Executor):
    """An executor whose environment lives in a lane: deadlines, cancellation and closing work alike."""

    def __init__(self, definition: EnvironmentDefinition, runaways: Runaways) -> None:
        super().__init__(definition, runaways)
        self._lane: Lane | None = None
        self._call: asyncio.Future[Reply | Answer | None] | None = None

    @abstractmethod
    def _start_lane(self) -> Lane:
        """Start a lane on the running loop."""

    async def _open(self, timeout: float | None) -> ErrorReply | None:
        self._lane = lane = self._start_lane()
        try:
            failure: ErrorReply | None = await _within(lane.open(), timeout)
            return failure
        except TimeoutError:
            self._abandon("its construction")
            return open_overdue(self.definition.name, timeout)
        except asyncio.CancelledError:
            self._give_up()
            raise

    async def _run(self, job: Job, timeout: float | None) -> Reply | Answer:
        lane = self._lane
        if lane is None or not self._usable:
            return refuse_closed(job)
        self._call = lane.handle(job, timeout)
        try:
            reply: Reply | Answer | None = await _within(self._call, self.patience(job, timeout))
            return refuse_closed(job) if reply is None else reply
        except TimeoutError:
            self._abandon(describe(job))
            return overdue(job, timeout)
        except asyncio.CancelledError:
            self._give_up()
            raise

    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """See `Executor.close`."""
        self._usable, self._closed = False, True
        lane = self._lane
        if lane is None:
            return
        lane.stop()
        # A lane that is counted already had its chance.
        await asyncio.wait([lane.ended], timeout=0 if lane.is_runaway else timeout)
        if not lane.ended.done():
            lane.interrupt()
            lane.run_away("its last call or close()")
        if self._call is not None:
            _settle(self._call, None)  # whoever waits for it waits in vain

    def _give_up(self) -> None:
        """Take no more calls; what runs is told to stop."""
        self._usable = False
        if self._lane is not None:
            self._lane.interrupt()
            self._lane.stop()

    def _abandon(self, what: str) -> None:
        self._give_up()
        if self._lane is not None:
            self._lane.run_away(what)


async def _within(future: asyncio.Future[Any], timeout: float | None) -> Any:
    """Await a future; raises ``TimeoutError``. Cheaper than ``asyncio.timeout``, and it runs every step."""
    if timeout is None:
        return await future
    timer = asyncio.get_running_loop().call_later(timeout, _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():  # else it expired, or its caller left
        future.set_result(result)
