"""The servers that a pool's lanes choose from, which may come and go while the lanes run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakSet

from openenv_gym.client.balancer import Balancer, Site
from openenv_gym.client.channel import Connector
from openenv_gym.client.io_loop import IoLoop
from openenv_gym.client.roster_view import Census, RosterSource, RosterView, SiteCount
from openenv_gym.client.scout import Scout
from openenv_gym.errors import CapacityError, NoHealthyServerError, PeerError, ServerUnreachableError
from openenv_gym.providers.endpoint import Endpoint

_STOPPED = "its server was stopped"


class Tenant(Protocol):
    """Who has a session on one of the servers, or none."""

    def evict(self, site: Site) -> None:
        """Give the session up if it is there: the server is gone."""
        ...


class Roster:
    """Lives on the I/O thread's loop, but for `update` and `census`, which any thread may call.

    Args:
        connector: Reaches servers.
        endpoints: Those to begin with.
        sessions: How many sessions there are to place, at most.
        timeout: Seconds one visit may take.
        balancer: Chooses among them; by default a new one.

    Attributes:
        connector: As given.
        balancer: As given, or made.
        scout: Finds out about servers.
        tenants: Who uses them.
    """

    def __init__(
        self,
        connector: Connector,
        endpoints: Sequence[Endpoint],
        *,
        sessions: int,
        timeout: float,
        balancer: Balancer | None = None,
    ) -> None:
        self.connector = connector
        self.balancer = Balancer(endpoints) if balancer is None else balancer
        self.scout = Scout(connector, self.balancer, sessions=sessions, timeout=timeout)
        self.tenants: WeakSet[Tenant] = WeakSet()
        self._attempts: dict[asyncio.Timeout, Site] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._trouble = ""
        self._is_open = False
        self._is_kept = False

    def explain(self, error: PeerError | None) -> str:
        """Say why there is no session to be had, after a message's colon; empty where nobody knows."""
        reasons = [str(reason) for reason in (error, self._trouble) if reason]
        return ": " + "; ".join(reasons) if reasons else ""

    def require_closed_circuit(self) -> None:
        """Refuse to start a session that would fail like all before it.

        Raises:
            NoHealthyServerError: It would; says how they failed.
        """
        if self._is_open:
            raise NoHealthyServerError(self._trouble)

    def relief(self, site: Site) -> Site | None:
        """Choose a better site for a session, and count it there; see `Balancer.relief`.

        Only where servers come and go: elsewhere a session stays where it is.
        """
        return self.balancer.relief(site) if self._is_kept else None

    # --- for lanes on their way ------------------------------------------------------------------------

    async def change(self, timeout: float | None) -> bool:
        """Wait until other servers are there; return whether that came to pass in so many seconds."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    @asynccontextmanager
    async def attempt(self, site: Site) -> AsyncIterator[None]:
        """Break the block off when the server is gone, or when it is full and another comes up.

        Raises:
            ServerUnreachableError: It is gone.
            CapacityError: Another came up.
        """
        if site.gone is not None:
            raise ServerUnreachableError(site.gone)
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._attempts[scope] = site
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            if site.gone is not None:
                raise ServerUnreachableError(site.gone) from None
            raise CapacityError("the server is full, and another has come up") from None
        finally:
            self._attempts.pop(scope, None)

    # --- for who keeps the servers ---------------------------------------------------------------------

    def census(self) -> Census:
        """Count what is where; from any thread, so a moment old."""
        sites = {
            site.endpoint: SiteCount(
                site.sessions + sum(one.sessions for one in self.scout.kin(site)),
                site.is_draining,
                site.room,
                site.misfires,
                site.last_misfire,
            )
            for site in list(self.balancer.sites)
            if site.is_given
        }
        return Census(sites, self.balancer.waiting, self.balancer.successes)

    def apply(self, view: RosterView) -> None:
        """Take in which servers there are now."""
        self._is_kept = True
        self._trouble, self._is_open = view.trouble, view.is_open
        known = {site.endpoint: site for site in self.balancer.sites if site.is_given}
        is_richer = False
        for serving in view.servers:
            site = known.pop(serving.endpoint, None)
            if site is None:
                site = Site(serving.endpoint)
                self.balancer.sites.append(site)
                is_richer = True
            site.capacity = serving.capacity
            for one in (site, *self.scout.kin(site)):
                one.is_draining = serving.is_draining
        for site in known.values():
            self._remove(site, view.causes.get(site.endpoint, _STOPPED))
        if is_richer:
            self._call_back_from_full_servers()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _remove(self, given: Site, why: str) -> None:
        loop = asyncio.get_running_loop()
        for site in (*self.scout.kin(given), given):
            site.gone = why
            self.balancer.sites.remove(site)
            for tenant in list(self.tenants):
                tenant.evict(site)
            for scope, target in self._attempts.items():
                if target is site and not scope.expired():
                    scope.reschedule(loop.time())
            self.connector.forget(site.endpoint, why)
            loop.call_soon(self.scout.forget, site)  # when those attempts have been told

    def _call_back_from_full_servers(self) -> None:
        """Have those choose again who queue for a slot while a new server has some."""
        now = asyncio.get_running_loop().time()
        for scope, site in self._attempts.items():
            if site.is_full and not scope.expired():
                scope.reschedule(now)


class RosterSubscription:
    """Keeps a roster told of what its source says, on the roster's own loop, until its last user ends it.

    Args:
        source: Who keeps the servers.
        roster: The roster.
        loop: The I/O thread's.
    """

    def __init__(self, source: RosterSource, roster: Roster, loop: IoLoop) -> None:
        self._source = source
        self._roster = roster
        self._loop = loop
        self._users = 1
        self._lock = threading.RLock()  # the garbage collector may end another user's in between
        source.attach(self)

    def share(self) -> None:
        """Count another user, who calls `end` too."""
        with self._lock:
            self._users += 1

    def end(self) -> None:
        """Tell the roster no more, if this is the last user's call."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            self._source.detach(self)

    def update(self, view: RosterView) -> None:
        """See `RosterListener`."""
        self._loop.enqueue(self._roster.apply, view)

    def census(self) -> Census:
        """See `RosterListener`."""
        return self._roster.census()
