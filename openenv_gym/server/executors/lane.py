"""A lane runs one session's jobs in order, away from its caller; and the executor that drives one."""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.executors.executor import (
    CLOSE_TIMEOUT,
    Done,
    Executor,
    describe,
    open_overdue,
    overdue,
    refuse_closed,
)
from openenv_gym.server.executors.mailbox import mailbox_of
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.jobs import HostReply, Job
from openenv_gym.wire.messages import ErrorReply

logger = logging.getLogger(__name__)


class Lane(ABC):
    """Where one environment lives: a thread, or a task on some loop.

    `open`, `handle` and `stop` are called on the home loop and return at once; what they report is reported
    there. The lane makes the environment, runs its jobs and closes it in one place, one after another.

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
    def open(self, done: Callable[[ErrorReply | None], None]) -> None:
        """Make the environment; ``done`` gets why that failed, if it did."""

    @abstractmethod
    def handle(self, job: Job, timeout: float | None, done: Callable[[HostReply], None]) -> None:
        """Run a job; ``done`` gets its reply, unless the job is interrupted."""

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

    def _deliver(self, done: Callable[[Any], None], result: Any) -> None:
        """Hand a result home, from wherever the lane runs."""
        self._mailbox.post(done, result)

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
        self._job: Job | None = None  # the running one, and what belongs to it:
        self._done: Done | None = None
        self._timeout: float | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @abstractmethod
    def _start_lane(self) -> Lane:
        """Start a lane on the running loop."""

    async def _open(self, timeout: float | None) -> ErrorReply | None:
        self._lane = lane = self._start_lane()
        opened: asyncio.Future[ErrorReply | None] = asyncio.get_running_loop().create_future()
        lane.open(partial(_settle, opened))
        try:
            async with asyncio.timeout(timeout):
                return await opened
        except TimeoutError:
            self._abandon("its construction")
            return open_overdue(self.definition.name, timeout)
        except asyncio.CancelledError:
            self._give_up()
            raise

    def start(self, job: Job, timeout: float | None, done: Done) -> None:
        """See `Executor.start`."""
        lane = self._lane
        if lane is None or not self._usable:
            done(refuse_closed(job))
            return
        self._job, self._timeout, self._done = job, timeout, done
        lane.handle(job, timeout, self._report)
        self._arm(self.patience(job, timeout))

    def _report(self, reply: HostReply) -> None:
        """Report what the running job came to; a reply that comes after it was given up is nobody's."""
        done, self._done = self._done, None
        self._job = self._deadline = None
        if done is not None:
            done(reply)

    async def _run(self, job: Job, timeout: float | None) -> HostReply:
        reply: asyncio.Future[HostReply] = asyncio.get_running_loop().create_future()
        self.start(job, timeout, partial(_settle, reply))
        try:
            return await reply
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
        if self._timer is not None:
            self._timer.cancel()
        if self._job is not None:
            self._report(refuse_closed(self._job))  # whoever waits for it waits in vain

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

    # --- deadlines -------------------------------------------------------------------------------------

    def _arm(self, patience: float | None) -> None:
        """Set the running job's deadline.

        The one timer is left to ring when a job ends in time: it finds a later deadline, if any, and is set
        again. So a session that makes a thousand quick calls sets a handful of timers.
        """
        if patience is None:
            return
        loop = asyncio.get_running_loop()
        self._deadline = deadline = loop.time() + patience
        if self._timer is None or self._timer_at > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = loop.call_at(deadline, self._ring), deadline

    def _ring(self) -> None:
        self._timer = None
        job, deadline = self._job, self._deadline
        if job is None or deadline is None:
            return
        if deadline > self._timer_at:  # not the clock: timers ring a hair early, and would be set again
            self._timer, self._timer_at = asyncio.get_running_loop().call_at(deadline, self._ring), deadline
        else:
            self._abandon(describe(job))
            self._report(overdue(job, self._timeout))


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():  # else its caller left
        future.set_result(result)
