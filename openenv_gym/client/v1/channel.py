"""One session on a connection that it shares with others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from openenv_gym.client.channel import OnLost, OnReply
from openenv_gym.wire.messages import Request

if TYPE_CHECKING:
    from openenv_gym.client.v1.connection import SharedConnection


class SharedChannel:
    """A `Channel`; made by `SharedConnection.open`.

    Attributes:
        session: The session's id, a secret.
        on_reply: Gets the reply to each request.
        on_lost: Gets the reason, once, when the session ends by anything but `close`.
    """

    keeps_deadlines: ClassVar[bool] = True

    __slots__ = ("_connection", "_end", "on_lost", "on_reply", "session")

    def __init__(
        self, connection: SharedConnection, session: str, on_reply: OnReply, on_lost: OnLost
    ) -> None:
        self.session = session
        self.on_reply = on_reply
        self.on_lost = on_lost
        self._connection = connection
        self._end: asyncio.Future[None] | None = None

    def send(self, request: Request, timeout: float | None) -> None:
        """Queue a request; it shares a frame with all that are queued in this turn of the loop."""
        self._connection.call(self, request, timeout)

    async def fork(
        self, snapshot: str, timeout: float | None, on_reply: OnReply, on_lost: OnLost
    ) -> SharedChannel:
        """Open a session on the same connection; see `Channel.fork`."""
        origin = self.session, snapshot
        return await self._connection.open(timeout, on_reply, on_lost, origin=origin)

    def abort(self) -> None:
        """Drop the session; see `Channel.abort`."""
        self._end = self._connection.leave(self, patient=False)

    def close(self, *, orderly: bool) -> asyncio.Future[None]:
        """End the session, even while a call runs; see `Channel.close`."""
        if self._end is None:
            self._end = self._connection.leave(self, patient=orderly)
        return self._end
