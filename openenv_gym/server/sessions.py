"""The session table: the one place where every transport opens, finds and closes sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.server.executors import Executor
from openenv_gym.server.garbage_collector import garbage_collector
from openenv_gym.server.refusals import SessionRefused, at_capacity, draining, session_error
from openenv_gym.server.session import SNAPSHOT_OPS, Session, SessionKind
from openenv_gym.server.session_register import SessionRegister
from openenv_gym.server.settings import ServerSettings
from openenv_gym.server.snapshots import Kept
from openenv_gym.server.types import ServerCapacityStatus, SessionInfo
from openenv_gym.wire.messages import ErrorReply, Reason, Reply, Request

logger = logging.getLogger(__name__)


class TableObserver(Protocol):
    """Who keeps sessions of the table under rules of its own, and so must know what happens to it."""

    def occupancy_changed(self) -> None:
        """A slot was taken or freed."""

    def call_ended(self, session: Session, reply: Reply) -> None:
        """A call that was begun by `SessionTable.start` is answered, maybe before that returns."""

    def drain_began(self) -> None:
        """New sessions and calls are refused from now on."""

    def drain_ends(self) -> None:
        """Every session is about to be closed."""


class SessionTable:
    """Holds the sessions of one server, whichever transport they came over.

    A session keeps its slot until its environment has closed (or ``close_timeout`` has passed), so that an
    environment which allows one instance never gets two; who opens meanwhile waits for that slot. All
    methods belong to the server's event loop.

    Args:
        make_executor: Builds the executor of a new session.
        capacity: Sessions at once.
        settings: Timeouts.
        environment_name: For messages.
        lenient: Let environments judge a step before reset or after done.
        features: Of ``snapshot`` and ``fork``, what the environment offers.
        clock: Monotonic seconds.

    Attributes:
        draining: Whether the server is shutting down: no new session, no new call.
        observer: Is told of changes.
    """

    def __init__(
        self,
        make_executor: Callable[[], Executor],
        *,
        capacity: int,
        settings: ServerSettings,
        environment_name: str,
        lenient: bool = False,
        features: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.capacity = capacity
        self.features = features
        self.draining = False
        self.observer: TableObserver | None = None
        self._make_executor = make_executor
        self._settings = settings
        self._environment_name = environment_name
        self._lenient = lenient
        self._clock = clock
        self._register = SessionRegister(capacity)
        self._running = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._reaper: asyncio.Task[None] | None = None

    # --- opening ---------------------------------------------------------------------------------------

    async def open(self, kind: SessionKind) -> Session:
        """Open a session; its environment is constructed, not reset.

        Raises:
            SessionRefused: Every slot is taken, the environment could not be constructed, or the server is
                shutting down.
        """
        await self._await_slot(kind)
        session = self._take_slot(secrets.token_urlsafe(24), kind)
        await self.construct(session, self._settings.open_timeout)
        self._start_reaper()
        return session

    def begin(self, session_id: str, kind: SessionKind) -> Session:
        """Take a slot for a session at once; `construct` makes its environment.

        Args:
            session_id: Its unguessable name.
            kind: What it is opened over.

        Raises:
            SessionRefused: Every slot is taken, the name too, or the server is shutting down.
        """
        if self.draining:
            raise SessionRefused(draining())
        if self.active >= self.capacity:
            raise SessionRefused(at_capacity(self.active, self.capacity, self.capacity))
        if session_id in self._register:
            raise SessionRefused(session_error("there is a session of that id already", Reason.CLOSED))
        return self._take_slot(session_id, kind)

    def _take_slot(self, session_id: str, kind: SessionKind) -> Session:
        executor = self._make_executor()
        session = Session(
            session_id,
            kind,
            executor,
            lenient=self._lenient,
            max_snapshots=self._settings.max_snapshots,
            clock=self._clock,
        )
        self._register.add(session)
        self._tell_occupancy()
        return session

    async def construct(self, session: Session, timeout: float, origin: Kept | None = None) -> None:
        """Make the environment of a session that has its slot.

        Args:
            session: The session; closed if this fails.
            timeout: Seconds it may take.
            origin: Another session's snapshot, where this one is to start.

        Raises:
            SessionRefused: The environment could not be made, or the server is shutting down.
        """
        try:
            began = asyncio.get_running_loop().time()
            await session.executor.open(timeout)
            if origin is not None:
                left = timeout - (asyncio.get_running_loop().time() - began)
                await session.begin_from(origin, max(left, 0.0))
        except EnvironmentFailedError as error:
            logger.warning("session %s could not be opened: %s", session.label, error)
            await self.close(session, "its environment could not be made")
            raise SessionRefused(ErrorReply(error.code, str(error), error.details)) from error
        except BaseException:  # the client left meanwhile
            self.close_soon(session, "its client left while it was being opened")
            raise
        if self.draining:
            await self.close(session, "the server is shutting down")
            raise SessionRefused(draining())
        session.ready, session.last_activity = True, self._clock()
        logger.info(
            "session %s opened over %s, %d of %d", session.label, session.kind, self.active, self.capacity
        )

    async def _await_slot(self, kind: SessionKind) -> None:
        """Return once a slot is free; wait only for sessions that are already closing."""
        while not self.draining:
            rivals = self._register.rivals(kind)
            if not rivals:
                return
            closing = [session.closing for session in rivals if session.closing is not None]
            if not closing:
                raise SessionRefused(at_capacity(self.active, self.capacity, len(rivals)))
            await asyncio.wait(closing, return_when=asyncio.FIRST_COMPLETED)
        raise SessionRefused(draining())

    # --- finding and using ------------------------------------------------------------------------------

    def find(self, session_id: str) -> Session:
        """Look up an open session; a multiplexed one is its own connection's alone.

        Raises:
            SessionRefused: There is none, or no longer.
        """
        return self._register.find(session_id)

    def attach(self, session_id: str) -> Session:
        """Give a WebSocket hold of an open session.

        Raises:
            SessionRefused: There is no such session, or another WebSocket holds it.
        """
        session = self.find(session_id)
        if session.attached:
            raise SessionRefused(session_error("the session already has an attached WebSocket", Reason.BUSY))
        session.attached = True
        return session

    def detach(self, session: Session, why: str) -> asyncio.Task[None] | None:
        """Let go of a session: a WebSocket's own is closed, another's lives on until it idles out.

        Returns:
            The closing task, if the session is being closed.
        """
        session.attached = False
        session.last_activity = self._clock()
        if session.close_on_detach or session.ended:
            return self.close_soon(session, why)
        self._start_reaper()
        return None

    async def call(self, session: Session, request: Request, timeout: float | None = None) -> Reply:
        """Run one call on a session; a call that ends the session closes it.

        Args:
            session: An open session.
            request: The call.
            timeout: Seconds, at most the server's own ``step_timeout``.
        """
        if self.draining:
            return draining()
        limit = self._settings.step_timeout
        if session.immediate and request.op not in SNAPSHOT_OPS:
            return self.call_now(session, request, limit if timeout is None else timeout)
        self._running += 1
        self._quiet.clear()
        try:
            reply = await session.handle(request, limit if timeout is None else min(timeout, limit))
        finally:
            self._running -= 1
            if not self._running:
                self._quiet.set()
        if session.ended:
            self.close_soon(session, f"its last {request.op} ended it")
        return reply

    def start(self, session: Session, request: Request, timeout: float) -> None:
        """Do the same as `call` for the observer, whose ``call_ended`` gets the reply."""
        self._running += 1
        self._quiet.clear()
        if self.draining:
            self._ended(session, draining())
        else:
            limit = self._settings.step_timeout
            session.start(request, timeout if timeout < limit else limit, self._ended)

    def _ended(self, session: Session, reply: Reply) -> None:
        self._running -= 1
        if not self._running:
            self._quiet.set()
        if session.ended:
            self.close_soon(session, "its last call ended it")
        if self.observer is not None:  # else a call that ran away has outlasted its server
            self.observer.call_ended(session, reply)

    def call_now(self, session: Session, request: Request, timeout: float) -> Reply:
        """Do the same as `call` at once, on a session whose calls are `immediate`."""
        limit = self._settings.step_timeout
        reply = session.handle_now(request, timeout if timeout < limit else limit)
        if type(reply) is ErrorReply and session.ended:
            self.close_soon(session, f"its last {request.op} ended it")
        return reply

    # --- closing ----------------------------------------------------------------------------------------

    def close_soon(self, session: Session, why: str) -> asyncio.Task[None]:
        """Close a session in the background; the same task for every call."""
        if session.closing is None:
            session.end()
            self._register.remember_ended(session)
            session.closing = asyncio.create_task(self._close(session, why))
        return session.closing

    async def close(self, session: Session, why: str) -> None:
        """Close a session and wait until its slot is free, at most ``close_timeout`` seconds."""
        # Shielded: whoever waits may be cancelled, the environment is closed all the same.
        await asyncio.shield(self.close_soon(session, why))

    async def _close(self, session: Session, why: str) -> None:
        session.snapshots.clear()  # before the environment closes, which may remove what they held
        try:
            await session.executor.close(self._settings.close_timeout)
        finally:
            self._register.remove(session)
            self._tell_occupancy()
        garbage_collector.session_closed(self.active)
        logger.info("session %s closed: %s, %d of %d", session.label, why, self.active, self.capacity)

    def expire_idle(self) -> list[asyncio.Task[None]]:
        """Start closing every session that has idled too long without a connection."""
        idle = self._register.idle_since(self._clock() - self._settings.idle_timeout)
        return [self.close_soon(session, "it idled too long") for session in idle]

    def _start_reaper(self) -> None:
        if (self._reaper is None or self._reaper.done()) and self._register.has_detached():
            self._reaper = asyncio.create_task(self._reap())

    async def _reap(self) -> None:
        while self._register.has_detached():
            await asyncio.sleep(self._settings.idle_timeout / 8)
            self.expire_idle()

    # --- shutting down, and being served again ------------------------------------------------------------

    async def drain(self, grace: float) -> None:
        """Refuse new sessions and calls, give running calls ``grace`` seconds, then close every session."""
        self.draining = True
        if self.observer is not None:
            self.observer.drain_began()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), grace)
        if self._running:
            logger.warning("%d calls are still running after the grace of %g s", self._running, grace)
        if self._reaper is not None:
            self._reaper.cancel()
        if self.observer is not None:
            self.observer.drain_ends()
        sessions = list(self._register)
        closing = [self.close_soon(session, "the server is shutting down") for session in sessions]
        if closing:
            await asyncio.wait(closing)

    def reopen(self) -> None:
        """Take sessions again after `drain`, on another event loop maybe; its observer stays behind."""
        self.draining = False
        self.observer = None
        self._reaper = None
        self._quiet = asyncio.Event()
        if not self._running:
            self._quiet.set()

    # --- telling ----------------------------------------------------------------------------------------

    @property
    def active(self) -> int:
        """Sessions that hold a slot: open, being opened, or being closed."""
        return len(self._register)

    def active_over(self, kind: SessionKind) -> int:
        """Sessions among `active` that were opened over one transport."""
        return self._register.count_over(kind)

    def _tell_occupancy(self) -> None:
        if self.observer is not None:
            self.observer.occupancy_changed()

    def status(self) -> ServerCapacityStatus:
        """Tell how full the table is."""
        return ServerCapacityStatus.from_counts(self.active, self.capacity)

    def info(self, session_id: str) -> SessionInfo | None:
        """Describe an open session; ``None`` where there is none."""
        session = self._register.get(session_id)
        if session is None:
            return None
        epoch = time.time() - self._clock()
        return SessionInfo(
            session_id=session.id,
            created_at=epoch + session.opened,
            last_activity_at=epoch + session.last_activity,
            step_count=session.step_count,
            environment_type=self._environment_name,
        )
