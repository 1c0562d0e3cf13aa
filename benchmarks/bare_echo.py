"""A bare WebSocket echo on the `websockets` library: the limit of one socket a session, without any work.

Usage: python bare_echo.py FD
"""

from __future__ import annotations

import asyncio
import http
import socket
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response


async def echo(connection: ServerConnection) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


def answer_health(connection: ServerConnection, request: Request) -> Response | None:
    """Tell the provider that the server is up."""
    return connection.respond(http.HTTPStatus.OK, "") if request.path == "/health" else None


async def main() -> None:
    """Serve until killed."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    async with serve(echo, sock=listener, compression=None, process_request=answer_health) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
