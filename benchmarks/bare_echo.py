"""A bare WebSocket echo on the `websockets` library: the limit of one socket a session, without any work.

Usage: python bare_echo.py FD [BYTES]    with BYTES, every message is answered by so many
"""

from __future__ import annotations

import asyncio
import http
import socket
import sys
from functools import partial

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response


async def echo(connection: ServerConnection, answer: bytes | None) -> None:
    """Send back what comes, or the answer in its place."""
    async for message in connection:
        await connection.send(answer or message)


def answer_health(connection: ServerConnection, request: Request) -> Response | None:
    """Tell the provider that the server is up."""
    return connection.respond(http.HTTPStatus.OK, "") if request.path == "/health" else None


async def main() -> None:
    """Serve until killed."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    answer = bytes(int(sys.argv[2])) if len(sys.argv) > 2 else None
    handler = partial(echo, answer=answer)
    async with serve(handler, sock=listener, compression=None, process_request=answer_health) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
