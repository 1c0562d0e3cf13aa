"""One lane of a pool: a session that a ``reset`` moves to a healthy server when its own is lost."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass

from openenv_gym.client.balancer import Site
from openenv_gym.client.io_thread import Done
from openenv_gym.client.roster import Roster
from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import (
    CapacityError,
    InvalidActionError,
    NoHealthyServerError,
    NotResetError,
    OpenEnvGymError,
    PeerError,
    ServerUnreachableError,
    SessionLostError,
    StepTimeoutError,
    ToolCallError,
    UsageError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Reply, Request

_RESETS_LOST = 3  # resets that may die with their server before the environment itself is suspected
_NOWHERE = Endpoint("")  # until a site is chosen
# Who cannot be reached, or has no slot, has not failed an episode.
_NO_MISFIRE = (
    UsageError,
    InvalidActionError,
    ToolCallError,
    NotResetError,
    CapacityError,
    ServerUnreachableError,
)


@dataclass(slots=True)
class _Search:
    """How far a reset has come.

    Attributes:
        until: When the time to find a server is up, on the loop's clock.
        waiting: A server was found and works on the reset.
        last: Why the latest attempt failed.
    """

    until: float
    waiting: bool = False
    last: PeerError | None = None


class Lane:
    """A session with a choice of servers; lives on the I/O thread's loop.

    Args:
        roster: The servers; shared by the lanes of a pool.
        connect_timeout: Seconds one attempt to connect may take.
        open_timeout: Seconds a reset without a timeout of its own may look for a server.
    """

    def __init__(
        self,
        roster: Roster,
        *,
        connect_timeout: float,
        open_timeout: float,
    ) -> None:
        self._session = RemoteSession(roster.connector, _NOWHERE, connect_timeout=connect_timeout)
        self._roster = roster
        self._scout = roster.scout
        self._balancer = roster.balancer
        self._open_timeout = open_timeout
        self._site: Site | None = None
        self._reset: asyncio.Task[None] | None = None
        self._is_unproven = False  # the episode has begun, and not one step was taken
        roster.tenants.add(self)

    def start(self, request: Request, timeout: float | None, done: Done) -> None:
        """Start a call; ``done`` gets its reply, or the error it ends with."""
        if request.op is Op.RESET:
            self._reset = asyncio.get_running_loop().create_task(self._run_reset(request, timeout, done))
        elif self._site is None:
            done(NotResetError(f"{request.op}() before reset(): call reset() first", "SESSION_ERROR"))
        else:
            if self._is_unproven and request.op is Op.STEP:
                self._is_unproven = False
                self._session.watch = self._judge_first_step
            self._session.start(request, timeout, done)

    def give_up(self, done: Done) -> None:
        """Stop waiting for the call that reports to ``done``; its session is lost, its slot freed at once."""
        if self._reset is not None and not self._reset.done():
            self._reset.cancel()
        else:
            self._session.give_up(done)

    async def abandon(self) -> None:
        """Give up the call that runs, if one does, however far it had come."""
        if self._reset is not None and not self._reset.done():
            self._reset.cancel()
            await asyncio.wait([self._reset])
        self._session.abandon()

    async def fork(self, snapshot: str, timeout: float | None) -> Lane:
        """Make a lane whose session begins where this one's was; see `RemoteSession.fork`."""
        site, session = self._site, await self._session.fork(snapshot, timeout)
        twin = copy.copy(self)
        twin._session, twin._site, twin._reset = session, site, None
        self._roster.tenants.add(twin)
        if site is not None:
            self._balancer.join(site)
        return twin

    async def close(self) -> None:
        """End the session and free its slot."""
        if self._reset is not None:
            self._reset.cancel()
        await self._session.close()
        self._leave()
        self._roster.tenants.discard(self)

    def evict(self, site: Site) -> None:
        """Give the session up if it is on a server that is gone."""
        if self._site is site:
            self._session.cut(SessionLostError(site.gone or "the server is gone"))

    async def _run_reset(self, request: Request, timeout: float | None, done: Done) -> None:
        try:
            done(await self._reset_in_time(request, timeout))
        except BaseException as error:
            done(error)
            if not isinstance(error, OpenEnvGymError | asyncio.CancelledError):
                raise

    async def _reset_in_time(self, request: Request, timeout: float | None) -> Reply:
        limit = self._open_timeout if timeout is None else timeout
        search = _Search(until=asyncio.get_running_loop().time() + limit)
        try:
            async with asyncio.timeout(limit) as deadline:
                return await self._reset_somewhere(request, search, deadline if timeout is None else None)
        except StepTimeoutError:
            raise  # the server's own deadline
        except TimeoutError:
            if search.waiting:
                raise StepTimeoutError(f"no reply to reset() came within {limit:g} s") from None
            why = self._roster.explain(search.last)
            raise NoHealthyServerError(f"no server opened a session within {limit:g} s{why}") from None

    async def _reset_somewhere(
        self, request: Request, search: _Search, opening: asyncio.Timeout | None
    ) -> Reply:
        """Reset, on another server or another session if need be, until it works or the caller's time is up.

        Args:
            request: The reset.
            search: Told how far it came.
            opening: A limit on opening only, lifted while the environment resets.
        """
        losses = 0
        while True:
            limit = opening.when() if opening is not None else None
            self._roster.require_closed_circuit()
            try:
                await self._join(search)
                if opening is not None:
                    opening.reschedule(None)
                search.waiting = True
                reply = await self._session.call(request, None)
            except StepTimeoutError as error:
                self._note_misfire(error)
                raise
            except (ServerUnreachableError, CapacityError, SessionLostError) as error:
                search.waiting, search.last = False, error
                self._note_misfire(error)
                losses += isinstance(error, SessionLostError)
                if losses == _RESETS_LOST:
                    raise
                await self._session.disconnect()  # from a server that is shutting down, for example
                self._blame(error)
            except OpenEnvGymError as error:
                self._note_misfire(error)
                raise
            else:
                if self._site is not None:
                    self._balancer.succeeded(self._site)
                self._is_unproven = True
                return reply
            if opening is not None:
                opening.reschedule(limit)

    async def _join(self, search: _Search) -> None:
        """Have an open session: the one there is, or one on the site the balancer chooses."""
        if self._session.is_open:
            assert self._site is not None
            better = self._roster.relief(self._site)
            if better is None:
                return
            self._leave()
            self._site = better
            await self._session.disconnect()
        else:
            self._leave()
        self._balancer.waiting += 1
        try:
            with self._scout.party():
                if self._site is None:
                    self._site = await self._choose(search)
                async with self._roster.attempt(self._site):
                    await self._scout.visit(self._site)
                    self._session.endpoint = self._site.endpoint
                    await self._session.connect()
        finally:
            self._balancer.waiting -= 1

    async def _choose(self, search: _Search) -> Site:
        """Find the site to go to, and wait until it may be asked; the session is counted there."""
        while True:
            self._roster.require_closed_circuit()
            rooms = await self._scout.survey()
            choice = self._balancer.acquire(rooms)
            if choice is None:
                await self._roster.change(None)
                continue
            self._site, pause = choice
            if pause and search.last is None:
                # However short its time, a search asks once before it says that no server is healthy.
                pause = min(pause, max(0.0, search.until - asyncio.get_running_loop().time()) / 2)
            if not pause or not await self._roster.change(pause):
                return self._site
            self._leave()

    # --- what it says of the server --------------------------------------------------------------------

    def _judge_first_step(self, result: Reply | BaseException) -> None:
        """Take note of whether an episode got anywhere."""
        if isinstance(result, BaseException):
            self._note_misfire(result)
        elif self._site is not None:
            self._site.misfires = 0
            self._balancer.successes += 1

    def _note_misfire(self, error: BaseException) -> None:
        site = self._site
        if site is not None and site.gone is None and not isinstance(error, _NO_MISFIRE):
            site.misfires += 1
            site.last_misfire = f"{type(error).__name__}: {error}"

    def _blame(self, error: PeerError) -> None:
        if self._site is not None:
            after = error.retry_after if isinstance(error, CapacityError) else None
            self._balancer.failed(self._site, full=isinstance(error, CapacityError), retry_after=after)

    def _leave(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            self._balancer.release(site)
