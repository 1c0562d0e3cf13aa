"""Where a single session goes: to the server that it was asked for, or to a sibling when that one is full."""

from __future__ import annotations

import asyncio
import logging
import random

from openenv_gym.client.channel import Channel, Connector, OnLost, OnReply, Visit
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.address import parse_address

logger = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds for a sibling to answer; the full server may have a slot as soon


class SpillingConnector:
    """A `Connector` that looks for room at a server's siblings before it has a session queue.

    Args:
        connector: Reaches servers and opens sessions.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    async def visit(self, endpoint: Endpoint, timeout: float | None) -> Visit:
        """Reach a server; see `Connector.visit`."""
        return await self._connector.visit(endpoint, timeout)

    async def open(
        self, endpoint: Endpoint, timeout: float | None, on_reply: OnReply, on_lost: OnLost
    ) -> Channel:
        """Open a session at the server or a sibling; see `Connector.open`."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout

        def left() -> float | None:
            return None if deadline is None else max(0.01, deadline - loop.time())

        home = await self._connector.visit(endpoint, timeout)
        try:
            if home.free == 0:
                for sibling in random.sample(home.siblings, len(home.siblings)):
                    if await self._has_room(sibling, home.group):
                        return await self._connector.open(sibling, left(), on_reply, on_lost)
            return await self._connector.open(endpoint, left(), on_reply, on_lost)
        finally:
            home.leave()

    def forget(self, endpoint: Endpoint, why: str) -> None:
        """Drop what there is to a server that is gone; see `Connector.forget`."""
        self._connector.forget(endpoint, why)

    async def _has_room(self, sibling: Endpoint, group: str) -> bool:
        """See whether a sibling is there, is what it should be, and has a free slot."""
        try:
            visit = await self._connector.visit(sibling, _PATIENCE)
        except OpenEnvGymError as error:
            logger.warning(
                "the sibling at %s cannot be used: %s", parse_address(sibling.base_url).shown, error
            )
            return False
        try:
            return visit.group == group != "" and bool(visit.free)
        finally:
            visit.leave()
