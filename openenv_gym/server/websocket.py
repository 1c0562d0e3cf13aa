"""The ``/ws`` endpoint: the handshake, and which dialect is spoken after it."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from openenv_gym.server.conversation import Conversation
from openenv_gym.server.mcp import McpService
from openenv_gym.server.multiplexed_connection import MultiplexedConnection
from openenv_gym.server.multiplexer import Multiplexer
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from openenv_gym.wire.v1.codecs import choose_subprotocol


class WebSocketEndpoint:
    """Accepts WebSockets, as an ASGI app.

    A client that offers one of ``openenv-gym.v1``'s subprotocols is spoken to in that dialect, every other in
    OpenEnv's.

    Args:
        table: Where sessions live.
        mcp: Answers ``mcp`` frames.
        settings: Limits.
    """

    def __init__(self, table: SessionTable, mcp: McpService, settings: ServerSettings) -> None:
        self._table = table
        self._mcp = mcp
        self._settings = settings
        self._multiplexer: Multiplexer | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await receive()  # websocket.connect
        subprotocol = choose_subprotocol(scope.get("subprotocols", ()))
        if subprotocol is not None:
            await send({"type": "websocket.accept", "subprotocol": subprotocol})
            await self._multiplex(subprotocol, receive, send)
            return
        await send({"type": "websocket.accept"})
        conversation = Conversation(self._table, self._mcp, self._settings.max_frame_bytes, receive, send)
        await conversation.run(_session_id(scope))

    async def _multiplex(self, subprotocol: str, receive: Receive, send: Send) -> None:
        if self._multiplexer is None or self._table.observer is not self._multiplexer:  # served again
            self._multiplexer = Multiplexer(self._table, self._mcp, self._settings)
        limit = self._settings.max_frame_bytes
        await MultiplexedConnection(self._multiplexer, subprotocol, limit, receive, send).run()


def _session_id(scope: Scope) -> str | None:
    """Read ``?session_id=``, by which a WebSocket attaches to a session opened over HTTP or MCP."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    values = query.get("session_id")
    return values[-1] if values else None
