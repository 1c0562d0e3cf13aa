"""Results of a pool's calls, between the I/O thread that brings them and the threads that wait for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial

from openenv_gym.errors import ConcurrentCallError, OpenEnvGymError, UsageError
from openenv_gym.wire.messages import Reply

Result = Reply | OpenEnvGymError


class Waiter:
    """A caller that waits for some lanes' results; touched under the inbox's lock only."""

    def __init__(self, lanes: Collection[int] | None, missing: int, wake: Callable[[], object]) -> None:
        self._lanes = lanes
        self._missing = missing
        self._wake: Callable[[], object] | None = wake

    def arrived(self, results: Sequence[tuple[int, Result]]) -> None:
        """Count results; the last one that is missed wakes the caller."""
        lanes = self._lanes
        self._missing -= len(results) if lanes is None else sum(lane in lanes for lane, _ in results)
        if self._missing <= 0:
            self.wake()

    def wake(self) -> None:
        """Wake the caller, once."""
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()


class Inbox:
    """Knows which lanes run a call, and keeps the results that nobody has taken yet.

    Thread-safe, but for `reporters`, which belong to the I/O thread: results of one turn of its loop are
    handed over together.

    Args:
        loop: The I/O thread's.
        num_lanes: How many lanes there are.

    Attributes:
        reporters: Each lane's way to report its call's result.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, num_lanes: int) -> None:
        self.reporters: list[Callable[[Result], None]] = [
            partial(self._report, lane) for lane in range(num_lanes)
        ]
        self._loop = loop
        self._arrived: list[tuple[int, Result]] = []  # in this turn of the loop
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._ready: dict[int, Result] = {}  # in the order of arrival
        self._waiters: list[Waiter] = []

    # --- calls begin and end ---------------------------------------------------------------------------

    def claim(self, lanes: Sequence[int]) -> None:
        """Mark lanes as running a call, or raise and change nothing.

        Raises:
            ConcurrentCallError: A lane is busy, or named twice.
            UsageError: There is no such lane.
        """
        with self._lock:
            fresh = set(lanes)
            if len(fresh) < len(lanes) or fresh & self._running or fresh & self._ready.keys():
                self._refuse_busy(lanes)
            if fresh and (min(fresh) < 0 or max(fresh) >= len(self.reporters)):
                raise UsageError(f"lanes run from 0 to {len(self.reporters) - 1}; got {sorted(fresh)}")
            self._running |= fresh

    def release(self, lane: int) -> None:
        """Mark a lane's call as over without a result to take."""
        with self._lock:
            self._running.discard(lane)

    def running(self) -> list[int]:
        """List the lanes that run a call, or whose result is on its way here."""
        with self._lock:
            return list(self._running)

    def forget(self) -> None:
        """Mark every lane as free and drop the results that nobody has taken; on the I/O thread."""
        self._arrived.clear()
        with self._lock:
            self._running.clear()
            self._ready.clear()
            for waiter in self._waiters:
                waiter.wake()

    @property
    def is_idle(self) -> bool:
        """Whether no lane runs a call or has a result to take."""
        with self._lock:
            return not self._running and not self._ready

    def _refuse_busy(self, lanes: Sequence[int]) -> None:
        for position, lane in enumerate(lanes):
            if lane in self._running:
                raise ConcurrentCallError(f"lane {lane} is running a call: collect() its result first")
            if lane in self._ready:
                raise ConcurrentCallError(
                    f"lane {lane} has a result that was not collected: collect() it first"
                )
            if lane in lanes[:position]:
                raise ConcurrentCallError(f"lane {lane} is named twice in one batch")

    def _report(self, lane: int, result: Result) -> None:
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append((lane, result))

    def _hand_over(self) -> None:
        arrived, self._arrived = self._arrived, []
        with self._lock:
            self._ready.update(arrived)
            self._running.difference_update([lane for lane, _ in arrived])
            for waiter in self._waiters:
                waiter.arrived(arrived)

    # --- waiting ---------------------------------------------------------------------------------------

    def wait_for(
        self, min_count: int, lanes: Collection[int] | None, wake: Callable[[], object]
    ) -> Waiter | None:
        """Register a wait, or return ``None`` when what it is for is there already.

        Raises:
            UsageError: Fewer than ``min_count`` calls are running or done, so the wait would never end.
        """
        with self._lock:
            if lanes is None:
                ready, running = len(self._ready), len(self._running)
            else:
                ready = sum(lane in self._ready for lane in lanes)
                running = sum(lane in self._running for lane in lanes)
            if ready >= min_count:
                return None
            if ready + running < min_count:
                raise UsageError(
                    f"asked for {min_count} results, but only {ready + running} calls are running or done: "
                    "submit() more first"
                )
            waiter = Waiter(lanes, min_count - ready, wake)
            self._waiters.append(waiter)
            return waiter

    def leave(self, waiter: Waiter) -> None:
        """End a wait."""
        with self._lock:
            self._waiters.remove(waiter)

    def wake_all(self) -> None:
        """Wake whoever waits: there is nothing to wait for any more."""
        with self._lock:
            for waiter in self._waiters:
                waiter.wake()

    def take(self, lanes: Collection[int] | None) -> list[tuple[int, Result]]:
        """Take the results that are there, of some lanes or (``None``) of all, in the order of arrival."""
        with self._lock:
            if lanes is None:
                taken = list(self._ready.items())
                self._ready.clear()
            else:
                taken = [(lane, result) for lane, result in self._ready.items() if lane in lanes]
                for lane, _ in taken:
                    del self._ready[lane]
        return taken
