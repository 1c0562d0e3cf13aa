"""One lane of a pool: a session that a ``reset`` moves to a healthy server when its own is lost."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass

from openenv_gym.client.balancer import Balancer, Site
from openenv_gym.client.channel import Connector
from openenv_gym.client.io_thread import Done
from openenv_gym.client.scout import Scout
from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import (
    CapacityError,
    NoHealthyServerError,
    NotResetError,
    OpenEnvGymError,
    PeerError,
    ServerUnreachableError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.wire.messages import Op, Reply, Request

_RESETS_LOST = 3  # resets that may die with their server before the environment itself is suspected


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
        connector: Opens connections.
        balancer: Chooses among the servers; shared by the lanes of a pool.
        scout: Finds them, and what room they have; likewise.
        connect_timeout: Seconds one attempt to connect may take.
        open_timeout: Seconds a reset without a timeout of its own may look for a server.
    """

    def __init__(
        self,
        connector: Connector,
        balancer: Balancer,
        scout: Scout,
        *,
        connect_timeout: float,
        open_timeout: float,
    ) -> None:
        self._session = RemoteSession(connector, balancer.sites[0].endpoint, connect_timeout=connect_timeout)
        self._scout = scout
        self._balancer = balancer
        self._open_timeout = open_timeout
        self._site: Site | None = None
        self._reset: asyncio.Task[None] | None = None

    def start(self, request: Request, timeout: float | None, done: Done) -> None:
        """Start a call; ``done`` gets its reply, or the error it ends with."""
        if request.op is Op.RESET:
            self._reset = asyncio.get_running_loop().create_task(self._run_reset(request, timeout, done))
        elif self._site is None:
            done(NotResetError(f"{request.op}() before reset(): call reset() first", "SESSION_ERROR"))
        else:
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
        if site is not None:
            self._balancer.join(site)
        return twin

    async def close(self) -> None:
        """End the session and free its slot."""
        if self._reset is not None:
            self._reset.cancel()
        await self._session.close()
        self._leave()

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
            why = f": {search.last}" if search.last is not None else ""
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
            try:
                await self._join(search)
                if opening is not None:
                    opening.reschedule(None)
                search.waiting = True
                reply = await self._session.call(request, None)
            except StepTimeoutError:
                raise
            except (ServerUnreachableError, CapacityError, SessionLostError) as error:
                search.waiting, search.last = False, error
                losses += isinstance(error, SessionLostError)
                if losses == _RESETS_LOST:
                    raise
                await self._session.disconnect()  # from a server that is shutting down, for example
                self._blame(error)
            else:
                if self._site is not None:
                    self._balancer.succeeded(self._site)
                return reply
            if opening is not None:
                opening.reschedule(limit)

    async def _join(self, search: _Search) -> None:
        """Have an open session: the one there is, or one on the site the balancer chooses."""
        if self._session.is_open:
            return
        self._leave()
        with self._scout.party():
            rooms = await self._scout.survey()
            site, pause = self._balancer.acquire(rooms)
            self._site = site
            if pause and search.last is None:
                # However short its time, a search asks once before it says that no server is healthy.
                pause = min(pause, max(0.0, search.until - asyncio.get_running_loop().time()) / 2)
            if pause:
                await asyncio.sleep(pause)
            await self._scout.visit(site)
            self._session.endpoint = site.endpoint
            await self._session.connect()

    def _blame(self, error: PeerError) -> None:
        if self._site is not None:
            after = error.retry_after if isinstance(error, CapacityError) else None
            self._balancer.failed(self._site, full=isinstance(error, CapacityError), retry_after=after)

    def _leave(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            self._balancer.release(site)
