"""A real server on loopback, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

_START_TIMEOUT = 30.0  # generous: a shared machine may be slow, a broken server is the only reason to wait


class LiveServer:
    """An ASGI app on a real uvicorn server on loopback, in a thread of this process.

    Attributes:
        app: The served app.
        base_url: For HTTP clients, without a trailing slash.
        port: Where it listens.
        ws_url: The address of its ``/ws``.
    """

    def __init__(self, app: Any, **uvicorn_options: Any) -> None:
        self.app = app
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, self.port = self._listener.getsockname()
        self.base_url = f"http://{host}:{self.port}"
        self.ws_url = f"ws://{host}:{self.port}/ws"
        options = {"log_config": None, "lifespan": "on", "ws_ping_interval": None, **uvicorn_options}
        self._server = uvicorn.Server(uvicorn.Config(app, **options))
        self._server.config.timeout_graceful_shutdown = 2
        self._thread = threading.Thread(target=self._serve, name="live-server", daemon=True)
        self.loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> LiveServer:
        self._thread.start()
        pause = threading.Event()
        for _ in range(int(_START_TIMEOUT / 0.01)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            pause.wait(0.01)
        raise RuntimeError("the test's server did not start")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(_START_TIMEOUT)
        if self._thread.is_alive():
            raise RuntimeError("the test's server did not stop")

    def __enter__(self) -> LiveServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function on the server's loop, where its sessions may be looked at without a race."""

        async def call() -> Any:
            return function()

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(_START_TIMEOUT)

    def _serve(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listener])

        asyncio.run(serve())
