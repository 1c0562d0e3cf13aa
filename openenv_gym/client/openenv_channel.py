"""Sessions in OpenEnv's own dialect: a WebSocket each, JSON frames, one request in flight."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from openenv_gym.client.channel import OnLost, OnReply
from openenv_gym.errors import NotSupportedError, OpenEnvGymError, ProtocolError, SessionLostError
from openenv_gym.transport.interface import ConnectionClosed, Transport
from openenv_gym.wire import openenv
from openenv_gym.wire.messages import ErrorReply, Op, Request

_GOODBYE_TIMEOUT = 3.0  # seconds a server may take to close its environment before we stop waiting
_CLOSE_TOO_BIG = 1009
_CLOSE_CUT = 1006  # never sent: stands for a connection that ended without a close frame


class OpenEnvChannel:
    """One session on a transport of its own.

    Args:
        transport: An open connection to the server's ``/ws``; the channel closes it.
        on_reply: Gets the reply to each request.
        on_lost: Gets the reason, once, when the session ends by anything but `close`.
    """

    keeps_deadlines: ClassVar[bool] = False

    def __init__(self, transport: Transport, on_reply: OnReply, on_lost: OnLost) -> None:
        self._transport = transport
        self._on_reply = on_reply
        self._on_lost = on_lost
        self._awaiting_reply = False
        self._closing = False
        self._end: asyncio.Task[None] | None = None
        self._reader = asyncio.get_running_loop().create_task(self._read())

    def send(self, request: Request, timeout: float | None) -> None:
        """Queue a request; see `Channel.send`. The dialect has no word for ``timeout``."""
        frame = openenv.encode_request(request)
        self._awaiting_reply = True
        self._transport.send(frame)

    async def fork(
        self, snapshot: str, timeout: float | None, on_reply: OnReply, on_lost: OnLost
    ) -> OpenEnvChannel:
        """Refuse: the dialect has no forks."""
        raise NotSupportedError(openenv.needs_v1("fork"))

    def abort(self) -> None:
        """Drop the connection; see `Channel.abort`."""
        self._closing = True
        self._transport.abort()

    def close(self, *, orderly: bool) -> asyncio.Task[None]:
        """End the session; see `Channel.close`."""
        if self._end is None:
            orderly = orderly and not self._awaiting_reply and not self._closing
            self._closing = True
            self._end = asyncio.get_running_loop().create_task(self._finish(orderly))
        return self._end

    async def _finish(self, orderly: bool) -> None:
        if orderly:
            # A server that gets the close frame closes its environment first and the socket after, so the
            # end of the socket says that the slot is free. A WebSocket close alone is answered too early.
            self._transport.send(openenv.encode_request(Request(Op.CLOSE)))
            await asyncio.wait([self._reader], timeout=_GOODBYE_TIMEOUT)
        await self._transport.close()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        """Deliver what arrives until the connection is over."""
        try:
            await self._transport.forward(self._take)
        except ConnectionClosed as closed:
            self._lose(_meaning(closed))
        except ProtocolError as error:
            self._lose(error)

    def _take(self, frame: str | bytes) -> None:
        reply = openenv.decode_reply(frame)
        if self._closing:
            return  # the reply to a call that was given up
        if not self._awaiting_reply and not isinstance(reply, ErrorReply):
            raise ProtocolError("the server sent a reply that nobody asked for")
        # An error that nobody asked for is a refusal on its way before the first request: let it be told.
        self._awaiting_reply = False
        self._on_reply(reply)

    def _lose(self, cause: OpenEnvGymError) -> None:
        if not self._closing:
            self._closing = True
            self._on_lost(cause)


def _meaning(closed: ConnectionClosed) -> SessionLostError:
    """Say what the end of the connection means for the session, and what to change if that is known."""
    if closed.code == _CLOSE_TOO_BIG:
        if closed.by_us:
            return SessionLostError("the server sent a message larger than max_message_size_mb: raise it")
        return SessionLostError("the server refused a message larger than its limit: send less, or raise it")
    if closed.code == _CLOSE_CUT:
        return SessionLostError("the connection to the server was cut")
    said = f": {closed.reason}" if closed.reason else ""
    who = "this side" if closed.by_us else "the server"
    return SessionLostError(f"{who} closed the connection (code {closed.code}{said})")
