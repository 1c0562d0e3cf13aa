"""A TCP proxy that holds data back and cuts connections when told to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from background_loop import Run, background_loop

_TO_SERVER, _TO_CLIENT = 0, 1


class CuttingProxy:
    """Forwards to one server, on a loop of its own; made by `cutting_proxy`.

    Args:
        run: Runs a coroutine on that loop.
        listener: Where clients connect.
        target: The server's URL.

    Attributes:
        base_url: The URL to give to clients.
    """

    def __init__(self, run: Run, listener: socket.socket, target: str) -> None:
        host, port = listener.getsockname()
        self.base_url = f"http://{host}:{port}"
        self._run = run
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self._held: int | None = None
        self._bytes_held = 0

    def hold_requests(self) -> None:
        """Pass nothing on to the server, on the connections there are, until they are cut."""
        self._run(self._hold(_TO_SERVER))

    def hold_replies(self) -> None:
        """Pass nothing on to the client, on the connections there are, until they are cut."""
        self._run(self._hold(_TO_CLIENT))

    def bytes_held(self) -> int:
        """How much was held back since that began."""
        return self._bytes_held

    def cut(self) -> None:
        """Reset all connections; what was held back is lost, and new connections are served as ever."""
        self._run(self._cut())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a client's connection until either side ends it."""
        server_reader, server_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        ends = {writer, server_writer}
        self._writers |= ends
        try:
            ways = (reader, server_writer, _TO_SERVER), (server_reader, writer, _TO_CLIENT)
            await asyncio.gather(*(self._pump(*way) for way in ways))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: int) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(2**18):
                if self._held == way:
                    self._bytes_held += len(data)
                    continue
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    async def _hold(self, way: int) -> None:
        self._held, self._bytes_held = way, 0

    async def _cut(self) -> None:
        self._held = None
        for writer in self._writers:
            writer.transport.abort()


@contextmanager
def cutting_proxy(target: str) -> Iterator[CuttingProxy]:
    """Run a proxy before a server."""
    with background_loop() as run, socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CuttingProxy(run, listener, target)

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(proxy.serve, sock=listener)

        async def close(server: asyncio.Server) -> None:
            server.close()

        server = run(listen())
        try:
            yield proxy
        finally:
            proxy.cut()
            run(close(server))
