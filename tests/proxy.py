"""A TCP proxy that misbehaves on command: cuts connections, stalls them, refuses new ones."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 30.0


class Proxy:
    """Forwards bytes to one server until told otherwise; use as a context manager.

    Attributes:
        base_url: Where clients connect instead of to the server.
    """

    def __init__(self, target: str) -> None:
        self.retarget(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._on_loop(self._listen)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Reset every connection that is open now."""
        self._on_loop(self._abort_all)

    def refuse(self, refusing: bool = True) -> None:
        """Cut every new connection at once, as a dead server's host does."""
        self._refusing = refusing

    def retarget(self, target: str) -> None:
        """Send new connections to another server."""
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)

    def stall(self) -> None:
        """Pass nothing on any more, either way, while the connections stay up."""
        self._on_loop(self._stall)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._on_loop(self._shut_down)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT)
        self._loop.close()

    def _on_loop(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            result = function()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(_TIMEOUT)

    async def _listen(self) -> asyncio.Server:
        self._open.set()
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, upstream_writer}
        try:
            await asyncio.gather(self._pump(reader, upstream_writer), self._pump(upstream_reader, writer))
        finally:
            for end in (writer, upstream_writer):
                self._writers.discard(end)
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):  # the other end is gone already
            writer.write_eof()

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _stall(self) -> None:
        self._open.clear()

    async def _shut_down(self) -> None:
        self._server.close()
        self._open.set()
        self._abort_all()
        # Aborted connections end their tasks; waiting for that leaves nothing pending on the loop.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_TIMEOUT)
