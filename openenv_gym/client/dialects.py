"""Which dialect a server is spoken to in: agreed with each server, or pinned by the user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, get_args

from openenv_gym.client.channel import Channel, OnLost, OnReply, Visit
from openenv_gym.client.dialling import Dial
from openenv_gym.client.openenv_channel import OpenEnvChannel
from openenv_gym.client.siblings import follow
from openenv_gym.client.v1.connection import SharedConnection
from openenv_gym.client.visits import SharedVisit, SilentVisit
from openenv_gym.errors import NotSupportedError, ServerUnreachableError, UsageError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.interface import Transport
from openenv_gym.wire.v1.codecs import SUBPROTOCOLS, codec_for

Dialect = Literal["auto", "openenv", "v1"]

DEFAULT_OUTAGE_TIMEOUT = 30.0  # seconds; servers keep sessions without a connection for 60 by default
_REDIAL_TIMEOUT = 10.0  # seconds


class _Agreement:
    """What is known of one server.

    Attributes:
        speaks_openenv: It agreed to none of our subprotocols.
        connection: The connection that sessions share, when it agreed to one.
        negotiation: Runs while neither is known.
        waiting: How many await it.
        spare: The connection on which OpenEnv's dialect was found out, until a session takes it.
        visitors: How many visits last.
    """

    def __init__(self) -> None:
        self.speaks_openenv = False
        self.connection: SharedConnection | None = None
        self.negotiation: asyncio.Task[None] | None = None
        self.waiting = 0
        self.spare: Transport | None = None
        self.visitors = 0
        self._farewell: asyncio.Task[None] | None = None
        self._names: tuple[int | str, ...] = ()
        self._siblings: tuple[Endpoint, ...] = ()

    @property
    def usable(self) -> SharedConnection | None:
        """The shared connection, unless it has ended."""
        return self.connection if self.connection is not None and self.connection.is_usable else None

    def take_spare(self) -> Transport | None:
        """Take the spare connection, if nobody has."""
        spare, self.spare = self.spare, None
        return spare

    async def drop_unused(self) -> None:
        """End what a negotiation opened that nobody waits for any more."""
        if self.connection is not None:
            self.connection.retire_if_idle()
        if (spare := self.take_spare()) is not None:
            await spare.close()

    def give_up(self, why: str) -> None:
        """Drop every connection: the server is gone."""
        if self.connection is not None:
            self.connection.give_up(ServerUnreachableError(why))
        if (spare := self.take_spare()) is not None:
            spare.abort()

    def siblings(self, endpoint: Endpoint, names: tuple[int | str, ...]) -> tuple[Endpoint, ...]:
        """Make endpoints of what the server calls its siblings; objections are logged once."""
        if names != self._names:
            self._names, self._siblings = names, follow(endpoint, names)
        return self._siblings

    def arrive(self) -> Callable[[], None]:
        """Count a visitor; the last one to leave, by what is returned, takes an unused spare along."""
        self.visitors += 1
        return self._leave

    def _leave(self) -> None:
        self.visitors -= 1
        if not self.visitors and (spare := self.take_spare()) is not None:
            self._farewell = asyncio.get_running_loop().create_task(spare.close())

    def settle(self, negotiation: asyncio.Task[None]) -> None:
        """Let the next who asks negotiate anew, if this came to nothing."""
        self.negotiation = None
        if not negotiation.cancelled():
            negotiation.exception()  # whoever waits has it; nobody may, after a cancellation


class DialectConnector:
    """A `Connector` that speaks openenv-gym.v1 with servers that do, and OpenEnv's dialect with all others.

    The subprotocols are offered with the first connection to a server. One that agrees to none is spoken to
    in OpenEnv's dialect on that very connection, and on one more for every further session; that is
    remembered. With one that agrees, all sessions share a connection.

    Args:
        dial: Opens connections.
        dialect: ``"auto"``, or the one to insist on.
        outage_timeout: Seconds that a server may be out of reach before its sessions are given up, in
            openenv-gym.v1.
        share_arrays: See `wire.v1.values.extension_decoder`.
        eager: See `SharedConnection`.

    Raises:
        UsageError: There is no such dialect, or the time is none.
    """

    def __init__(
        self,
        dial: Dial,
        dialect: Dialect = "auto",
        *,
        outage_timeout: float = DEFAULT_OUTAGE_TIMEOUT,
        share_arrays: bool = False,
        eager: bool = False,
    ) -> None:
        if dialect not in get_args(Dialect):
            raise UsageError(f"dialect= is one of {', '.join(get_args(Dialect))}, not {dialect!r}")
        if not outage_timeout > 0:
            raise UsageError(f"outage_timeout={outage_timeout!r}: give seconds greater than 0")
        self._outage_timeout = outage_timeout
        self._dial = dial
        self._dialect = dialect
        self._share_arrays = share_arrays
        self._eager = eager
        self._agreements: dict[Endpoint, _Agreement] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inherited: list[object] = []  # a forked parent's, kept alive: collecting them would close them

    async def open(
        self, endpoint: Endpoint, timeout: float | None, on_reply: OnReply, on_lost: OnLost
    ) -> Channel:
        """Open a session; see `Connector.open`."""
        if self._dialect == "openenv":
            return OpenEnvChannel(await self._dial(endpoint, (), timeout), on_reply, on_lost)
        agreement = self._agreement(endpoint)
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not agreement.speaks_openenv:
            if (connection := agreement.usable) is not None:
                left = None if timeout is None else max(0.01, timeout - (loop.time() - began))
                return await connection.open(left, on_reply, on_lost)
            await self._negotiate(agreement, endpoint, timeout)
        transport = agreement.take_spare() or await self._dial(endpoint, (), timeout)
        return OpenEnvChannel(transport, on_reply, on_lost)

    async def visit(self, endpoint: Endpoint, timeout: float | None) -> Visit:
        """Reach a server; see `Connector.visit`. Nothing is asked of one that speaks OpenEnv's dialect."""
        if self._dialect == "openenv":
            return SilentVisit()
        agreement = self._agreement(endpoint)
        while not agreement.speaks_openenv:
            if (connection := agreement.usable) is not None:
                await connection.visit(timeout)
                return SharedVisit(connection, agreement.siblings(endpoint, connection.greeting.siblings))
            await self._negotiate(agreement, endpoint, timeout)
        return SilentVisit(agreement.arrive())

    def forget(self, endpoint: Endpoint, why: str) -> None:
        """Drop what there is to a server that is gone; see `Connector.forget`."""
        if self._loop is asyncio.get_running_loop():
            agreement = self._agreements.pop(endpoint, None)
            if agreement is not None:
                agreement.give_up(why)

    def _agreement(self, endpoint: Endpoint) -> _Agreement:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._inherited.append(self._agreements)
            self._loop, self._agreements = loop, {}
        return self._agreements.setdefault(endpoint, _Agreement())

    async def _negotiate(self, agreement: _Agreement, endpoint: Endpoint, timeout: float | None) -> None:
        """Learn what a server speaks, once for all who ask at the same time."""
        negotiation = agreement.negotiation
        if negotiation is None:
            negotiation = asyncio.get_running_loop().create_task(self._connect(agreement, endpoint, timeout))
            agreement.negotiation = negotiation
            negotiation.add_done_callback(agreement.settle)
        agreement.waiting += 1
        try:
            await asyncio.shield(negotiation)
        except asyncio.CancelledError:
            if agreement.waiting == 1:
                negotiation.cancel()
                await agreement.drop_unused()
            raise
        finally:
            agreement.waiting -= 1

    async def _connect(self, agreement: _Agreement, endpoint: Endpoint, timeout: float | None) -> None:
        transport = await self._dial(endpoint, SUBPROTOCOLS, timeout)
        if transport.subprotocol is not None:
            chosen = transport.subprotocol

            async def redial() -> Transport:
                again = await self._dial(endpoint, (chosen,), _REDIAL_TIMEOUT)
                if again.subprotocol == chosen:
                    return again
                await again.close()
                raise ServerUnreachableError(f"{endpoint.base_url} speaks {chosen} no longer")

            codec = codec_for(chosen, share_arrays=self._share_arrays)
            agreement.connection = SharedConnection(
                transport, codec, redial, outage_timeout=self._outage_timeout, eager=self._eager
            )
        elif self._dialect == "v1":
            await transport.close()
            raise NotSupportedError(
                f"{endpoint.base_url} does not speak openenv-gym.v1: leave dialect= out, or serve the "
                "environment with openenv-gym"
            )
        else:
            agreement.speaks_openenv = True
            agreement.spare = transport
