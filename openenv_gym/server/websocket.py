"""The ``/ws`` endpoint: the handshake, and which dialect is spoken after it."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from openenv_gym.server.conversation import Conversation
from openenv_gym.server.mcp import McpService
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings


class WebSocketEndpoint:
    """Accepts WebSockets, as an ASGI app.

    Without an agreed subprotocol a connection speaks OpenEnv's dialect; a dialect of its own name would be
    picked from ``scope["subprotocols"]`` in `__call__`, before the connection is accepted.

    Args:
        table: Where sessions live.
        mcp: Answers ``mcp`` frames.
        settings: Frame limit.
    """

    def __init__(self, table: SessionTable, mcp: McpService, settings: ServerSettings) -> None:
        self._table = table
        self._mcp = mcp
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        conversation = Conversation(self._table, self._mcp, self._settings.max_frame_bytes, receive, send)
        await conversation.run(_session_id(scope))


def _session_id(scope: Scope) -> str | None:
    """Read ``?session_id=``, by which a WebSocket attaches to a session opened over HTTP or MCP."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    values = query.get("session_id")
    return values[-1] if values else None
