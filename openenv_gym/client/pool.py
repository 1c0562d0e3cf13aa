"""Many sessions driven in batches: the engine under vector environments and rollout loops.

Requests go to the I/O thread and results come back with one thread hop a batch, without a task or a future
a call. Results are handed out in the order in which they arrived.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from openenv_gym.client.channel import Connector
from openenv_gym.client.dialects import DEFAULT_OUTAGE_TIMEOUT, Dialect, DialectConnector
from openenv_gym.client.dialling import WebSocketDial
from openenv_gym.client.inbox import Inbox, Result
from openenv_gym.client.io_thread import io_thread
from openenv_gym.client.lane import Lane
from openenv_gym.client.roster import Roster, RosterSubscription
from openenv_gym.client.roster_view import RosterSource
from openenv_gym.errors import ClosedError, OpenEnvGymError, UsageError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Reply, Request

logger = logging.getLogger(__name__)

_PART = 128  # calls that are sent together
_CLOSE_TIMEOUT = 10.0  # seconds; each session's own goodbye is bounded below that


class SessionPool:
    """A fixed number of lanes, each with at most one session and one call.

    Thread-safe: batches may be submitted and collected from any threads, as long as they name different
    lanes. A lane is busy from `submit` until its result is collected.

    Args:
        endpoints: The servers, to which those add themselves that they name (see `siblings`); new sessions
            go to the one with the fewest, or the most room where servers tell it, avoiding those that fail.
            Or who keeps them, for example a running `Fleet`: then servers come and go, sessions on one that
            is gone are lost at once, and a ``reset`` moves a session to a server that came up empty.
        num_lanes: How many lanes.
        connect_timeout: Seconds one attempt to connect may take.
        open_timeout: Seconds a reset submitted with ``timeout=None`` may look for a server.
        headers: Sent along in each handshake.
        max_message_size: Largest reply accepted, bytes.
        dialect: ``"auto"`` speaks openenv-gym.v1 with servers that do, OpenEnv's dialect with the others;
            ``"v1"`` or ``"openenv"`` insists on one.
        outage_timeout: Seconds that a server may be out of reach before its sessions are lost, in
            openenv-gym.v1; shorter outages go unnoticed (the server's lease allowing, 60 s by default).
        share_arrays: Let arrays in replies look into the frames they came in, read-only, instead of owning
            their memory: for callers that copy what they keep.
        connector: Opens sessions in another way; the five above are then its own.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint] | RosterSource,
        num_lanes: int,
        *,
        connect_timeout: float = 10.0,
        open_timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        max_message_size: int = 100 * 2**20,
        dialect: Dialect = "auto",
        outage_timeout: float = DEFAULT_OUTAGE_TIMEOUT,
        share_arrays: bool = False,
        connector: Connector | None = None,
    ) -> None:
        self._closed = True  # until construction went through
        source = None if isinstance(endpoints, Sequence) else endpoints
        given = endpoints if isinstance(endpoints, Sequence) else ()
        if (source is None and not given) or num_lanes < 1:
            raise UsageError("a session pool needs at least one endpoint and one lane")
        if connector is None:
            connector = DialectConnector(
                WebSocketDial(tuple((headers or {}).items()), max_message_size),
                dialect,
                outage_timeout=outage_timeout,
                share_arrays=share_arrays,
            )
        roster = Roster(connector, given, sessions=num_lanes, timeout=connect_timeout)
        self._begin(
            [
                Lane(roster, connect_timeout=connect_timeout, open_timeout=open_timeout)
                for _ in range(num_lanes)
            ],
            None if source is None else RosterSubscription(source, roster, io_thread().loop),
        )

    def _begin(self, lanes: list[Lane], servers: RosterSubscription | None) -> None:
        self._lanes = lanes
        self._servers = servers
        self._io = io_thread()
        self._inbox = Inbox(self._io.loop, len(lanes))
        self._abandonments = 0
        self._closing = threading.Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._lanes)

    # --- calls -----------------------------------------------------------------------------------------

    def submit(self, calls: Sequence[tuple[int, Request]], timeout: float | None = None) -> None:
        """Start one call on each of some lanes.

        A ``reset`` on a lane without a session opens one on the healthiest server, trying again with growing
        pauses until ``timeout``; then the lane's result is a `NoHealthyServerError`. Whatever else goes wrong
        on a lane is that lane's result, and that lane's only.

        Args:
            calls: Pairs of lane number and request, each lane at most once.
            timeout: Seconds each call may take; ``None`` waits forever.

        Raises:
            ConcurrentCallError: A lane is busy; nothing was sent.
            UsageError: There is no such lane; nothing was sent.
            ClosedError: The pool is closed.
        """
        self._require_usable()
        self._inbox.claim([lane for lane, _ in calls])
        self._io.call_soon(self._start, calls, timeout, self._abandonments)

    def collect(
        self, min_count: int, timeout: float | None = None, lanes: Collection[int] | None = None
    ) -> list[tuple[int, Result]]:
        """Wait for results.

        Args:
            min_count: Return as soon as so many are there (with all that are).
            timeout: Return after so many seconds with what is there; ``None`` waits forever.
            lanes: Only these lanes' results; ``None`` takes any.

        Returns:
            Pairs of lane number and reply or error, in the order of arrival.

        Raises:
            UsageError: Fewer than ``min_count`` calls are running or done, so the wait would never end.
            ClosedError: The pool is closed, or was closed meanwhile.
        """
        gate = threading.Lock()
        gate.acquire()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._require_usable()
            waiter = self._inbox.wait_for(min_count, lanes, gate.release)
            if waiter is None:
                return self._inbox.take(lanes)
            try:
                left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
                in_time = gate.acquire(timeout=left)
            finally:
                self._inbox.leave(waiter)
            if not in_time:
                return self._inbox.take(lanes)

    async def acollect(
        self, min_count: int, timeout: float | None = None, lanes: Collection[int] | None = None
    ) -> list[tuple[int, Result]]:
        """Do what `collect` does without blocking the caller's event loop."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            woken = asyncio.Event()

            def wake(woken: asyncio.Event = woken) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(woken.set)

            self._require_usable()
            waiter = self._inbox.wait_for(min_count, lanes, wake)
            if waiter is None:
                return self._inbox.take(lanes)
            try:
                async with asyncio.timeout_at(deadline):
                    await woken.wait()
            except TimeoutError:
                return self._inbox.take(lanes)
            finally:
                self._inbox.leave(waiter)

    def call(self, lane: int, request: Request, timeout: float | None = None) -> Reply:
        """Make one call and block for its reply: what `submit` and `collect` do, for less.

        A caller that is interrupted (Ctrl-C) gives the lane's session up, so that the lane is free again.

        Raises:
            OpenEnvGymError: What `submit` raises, or what the call ended with.
        """
        self._require_usable()
        refused = False
        try:
            try:
                self._inbox.claim([lane])
            except OpenEnvGymError:
                refused = True
                raise
            chosen = self._lanes[lane]
            reply: Reply = self._io.call(partial(chosen.start, request, timeout), chosen.give_up)
        except asyncio.CancelledError:
            raise ClosedError("the session pool was closed meanwhile") from None
        finally:
            if not refused:  # rather than once claimed: an interrupt may come between the two
                self._inbox.release(lane)
        return reply

    def abandon(self) -> None:
        """Give up every call that runs and drop every result that was not collected: all lanes are free then.

        For a caller whose `submit` or `collect` was interrupted (Ctrl-C). The sessions of the calls that ran
        are lost and their slots freed; a ``reset`` opens others.
        """
        self._require_usable()
        if not self._inbox.is_idle:
            self._io.run(self._give_all_up())

    def fork(self, lane: int, snapshot: str, timeout: float | None = None) -> SessionPool:
        """Make a pool of one lane, whose session begins where another lane's was.

        Args:
            lane: A lane of this pool; a call may be running on it.
            snapshot: The handle of one of its snapshots.
            timeout: Seconds the new session may take to open; ``None`` waits as long as the server does.

        Raises:
            OpenEnvGymError: What `RemoteSession.fork` raises.
        """
        self._require_usable()
        twin = SessionPool.__new__(SessionPool)
        twin._closed = True
        if self._servers is not None:
            self._servers.share()
        twin._begin([self._io.run(self._lanes[lane].fork(snapshot, timeout))], self._servers)
        return twin

    # --- the end ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """End every session and free its slot. Bounded; safe to call twice; wakes whoever collects.

        What takes longer than the bound, goes on in the background and is logged.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._inbox.wake_all()
        if self._io is io_thread():  # after a fork the sessions are the parent's
            ending = self._io.submit(_close_all(self._lanes))
            try:
                ending.result(_CLOSE_TIMEOUT)
            except TimeoutError:
                logger.warning("%d sessions are still being ended after %g s", len(self), _CLOSE_TIMEOUT)
            if self._servers is not None:
                self._servers.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._closed and self._io.is_mine:
            self._io.submit(_close_all(self._lanes))
            if self._servers is not None:
                self._servers.end()
            # Last: whoever makes it an error must not stop the rest.
            warnings.warn(f"unclosed {self!r}: call close()", ResourceWarning, source=self, stacklevel=1)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<SessionPool of {len(getattr(self, '_lanes', ()))} lanes, {state}>"

    # --- inside ----------------------------------------------------------------------------------------

    def _start(self, calls: Sequence[tuple[int, Request]], timeout: float | None, abandonments: int) -> None:
        """Start calls, unless they were abandoned meanwhile; on the I/O loop.

        What a turn of the loop starts is sent at its end: so a server works on the first part of a large
        batch while the next is being made.
        """
        if abandonments != self._abandonments:
            return
        lanes, reporters = self._lanes, self._inbox.reporters
        for lane, request in calls[:_PART]:
            lanes[lane].start(request, timeout, reporters[lane])
        if len(calls) > _PART:
            self._io.loop.call_soon(self._start, calls[_PART:], timeout, abandonments)

    async def _give_all_up(self) -> None:
        self._abandonments += 1  # first: parts of a batch that wait for their turn must not start any more
        await asyncio.gather(*(self._lanes[lane].abandon() for lane in self._inbox.running()))
        self._inbox.forget()

    def _require_usable(self) -> None:
        if self._closed:
            raise ClosedError("the session pool is closed; make a new one")
        if self._io is not io_thread():
            raise UsageError("this session pool belongs to the parent of this forked process; make a new one")


async def _close_all(lanes: Sequence[Lane]) -> None:
    await asyncio.gather(*(lane.close() for lane in lanes))
