"""Finds out which servers there are, and what room each has, before sessions are placed on them.

A server's greeting tells its free slots and names its siblings. So servers are visited first: those that
the user gave, then those that were named, as many as there are sessions to place or as it takes to find room
for all. Nobody waits long for one that does not answer while others do.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

from openenv_gym.client.balancer import Balancer, Site
from openenv_gym.client.channel import Connector, Visit
from openenv_gym.errors import OpenEnvGymError, ServerUnreachableError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.address import parse_address

logger = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds that servers which do not answer hold up those that do


class Scout:
    """Visits servers for the lanes of a pool; lives on the I/O thread's loop.

    Args:
        connector: Reaches them.
        balancer: Knows them, and is told of those that were found, and of failures.
        sessions: How many sessions there are to place, at most.
        timeout: Seconds one visit may take.
    """

    def __init__(self, connector: Connector, balancer: Balancer, *, sessions: int, timeout: float) -> None:
        self._connector = connector
        self._balancer = balancer
        self._sessions = sessions
        self._timeout = timeout
        self._visits: dict[Site, asyncio.Task[Visit]] = {}
        self._parties = 0
        self._named: dict[Site, tuple[str, frozenset[str]]] = {}  # by whom: their group, and the addresses
        self._aliases: set[str] = set()  # addresses under which servers are known already
        self._warned: set[str] = set()

    @contextmanager
    def party(self) -> Iterator[None]:
        """Keep the connections of visits open, so that sessions can be opened on them meanwhile."""
        self._parties += 1
        try:
            yield
        finally:
            self._parties -= 1
            if not self._parties:
                self._go_home()

    async def survey(self) -> dict[Site, int | None]:
        """Visit the servers that come into question; to be called in a `party`.

        Returns:
            The room of those that answered; see `Visit.room`.
        """
        loop = asyncio.get_running_loop()
        give_up_at: float | None = None
        while waiting := self._unanswered():
            if give_up_at is None and self._answered():
                give_up_at = loop.time() + _PATIENCE
            left = None if give_up_at is None else give_up_at - loop.time()
            if left is not None and left <= 0:
                for site in waiting:
                    self._balancer.failed(site)
            else:
                await asyncio.wait(waiting.values(), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        rooms = {site: visit.room for site, visit in self._answered().items() if site in self._balancer.sites}
        for site, room in rooms.items():
            site.room = room
        return rooms

    async def visit(self, site: Site) -> None:
        """Visit one server, be it only to see that it is who it should be; to be called in a `party`.

        Raises:
            PeerError: It cannot be reached, or is somebody else.
        """
        await asyncio.shield(self._visit(site))

    def forget(self, site: Site) -> None:
        """Break off the visit to a server that is gone.

        Whoever waits for it has to be told first: to them a visit that is cancelled looks like an end of
        their own.
        """
        self._named.pop(site, None)
        visit = self._visits.pop(site, None)
        if visit is not None and _is_success(visit):
            visit.result().leave()
        elif visit is not None:
            visit.cancel()

    def kin(self, site: Site) -> list[Site]:
        """List the sites that nobody but this one has named: they come and go with it."""
        named = {one: addresses for one, (_, addresses) in list(self._named.items())}
        if not named.get(site):
            return []
        others = frozenset[str]().union(*(named[one] for one in named if one.is_given and one is not site))
        own = named[site] - others
        return [one for one in self._balancer.sites if not one.is_given and _address(one.endpoint) in own]

    # --- visits ----------------------------------------------------------------------------------------

    def _unanswered(self) -> dict[Site, asyncio.Task[Visit]]:
        """Visit whom it takes, and list those whose answer is worth a wait: they have not failed before."""
        waiting: dict[Site, asyncio.Task[Visit]] = {}
        room = 0.0
        for visited, site in enumerate(self._balancer.ready()):
            if min(visited, room) >= self._sessions:
                break
            visit = self._visit(site)
            if not visit.done():
                room = math.inf  # until it says less
                if not site.failures:
                    waiting[site] = visit
            elif _is_success(visit):
                told = visit.result().room
                room += math.inf if told is None else told
        return waiting

    def _answered(self) -> dict[Site, Visit]:
        return {site: visit.result() for site, visit in self._visits.items() if _is_success(visit)}

    def _visit(self, site: Site) -> asyncio.Task[Visit]:
        visit = self._visits.get(site)
        if visit is None or (visit.done() and not _is_success(visit)):
            visit = self._visits[site] = asyncio.get_running_loop().create_task(self._go(site))
            visit.add_done_callback(_note_failure)
        return visit

    async def _go(self, site: Site) -> Visit:
        url = parse_address(site.endpoint.base_url)
        try:
            visit = await self._connector.visit(site.endpoint, self._timeout)
            try:
                if not site.is_given:
                    await self._expect_sibling(site, visit)
            except BaseException:
                visit.leave()
                raise
        except OpenEnvGymError as error:
            self._balancer.failed(site)
            if site.is_given:
                raise
            if url.http not in self._warned:
                self._warned.add(url.http)
                logger.warning("the sibling at %s cannot be used: %s", url.shown, error)
            raise ServerUnreachableError(f"the sibling at {url.shown} cannot be used: {error}") from None
        self._warned.discard(url.http)
        self._learn(site, visit)
        return visit

    def _go_home(self) -> None:
        visits, self._visits = self._visits, {}
        for visit in visits.values():
            if not visit.done():
                visit.cancel()
            elif _is_success(visit):
                visit.result().leave()

    # --- siblings --------------------------------------------------------------------------------------

    async def _expect_sibling(self, site: Site, visit: Visit) -> None:
        """See that who answered is a sibling of the server that named the address."""
        if self._is_expected(site, visit):
            return
        # A server that was restarted has another group: those that the user gave have the last word.
        given = [self._visit(one) for one in self._balancer.sites if one.is_given]
        await asyncio.wait(given, timeout=self._timeout)
        if not self._is_expected(site, visit):
            raise ServerUnreachableError("another server answers there")

    def _is_expected(self, site: Site, visit: Visit) -> bool:
        address = _address(site.endpoint)
        groups = {group for group, addresses in self._named.values() if address in addresses}
        return visit.group != "" and visit.group in groups

    def _learn(self, site: Site, visit: Visit) -> None:
        """Take in whom a server names, and forget whom nobody names any more."""
        self._named[site] = visit.group, frozenset(map(_address, visit.siblings))
        self._note_alias(site, visit)
        known = {_address(one.endpoint) for one in self._balancer.sites} | self._aliases
        found = [one for one in visit.siblings if _address(one) not in known]
        random.shuffle(found)  # many small clients should not all come to the same one next
        self._balancer.sites += [Site(one, is_given=False) for one in found]
        self._forget_unnamed()

    def _note_alias(self, site: Site, visit: Visit) -> None:
        """Notice a sibling that the user gave by another name, or that is reached by two."""
        for other, seen in self._answered().items():
            if other is not site and visit.instance and seen.instance == visit.instance:
                alias = other if site.is_given else site
                if not alias.is_given:
                    self._aliases.add(_address(alias.endpoint))

    def _forget_unnamed(self) -> None:
        named = frozenset[str]().union(*(addresses for _, addresses in self._named.values())) - self._aliases
        for one in list(self._balancer.sites):
            if not (one.is_given or one.sessions or _address(one.endpoint) in named):
                self._balancer.sites.remove(one)
                self._named.pop(one, None)


def _address(endpoint: Endpoint) -> str:
    return parse_address(endpoint.base_url).http


def _is_success(visit: asyncio.Task[Visit]) -> bool:
    return visit.done() and not visit.cancelled() and visit.exception() is None


def _note_failure(visit: asyncio.Task[Visit]) -> None:
    """Mark a failure as seen: it was recorded where it happened, and maybe nobody waits for it."""
    if not visit.cancelled():
        visit.exception()
