"""``python -m openenv_gym.server.serve APP``: run an app on uvicorn until told to stop, then drain."""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import socket
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import uvicorn

from openenv_gym.errors import UsageError
from openenv_gym.server.allocator import keep_freed_memory
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings

logger = logging.getLogger(__name__)

# A peer that is merely busy answers no ping; only a dead one stays silent for a quarter of an hour. Peers
# whose machine is gone are found sooner, by TCP itself.
_PING_INTERVAL = 30.0
_PING_PATIENCE = 15 * 60.0
_TCP_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_LAST_CALLS = 5  # seconds that connections get to end once their sessions are closed


def serve(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    fd: int | None = None,
    log_level: str = "info",
    settings: ServerSettings | None = None,
) -> None:
    """Serve an app in this thread until SIGTERM or SIGINT, then drain and return.

    Args:
        app: An ASGI app.
        host: Address to bind; other machines reach the server only if told so.
        port: Port to bind; 0 takes a free one.
        fd: A listening socket to serve on instead, as an inherited file descriptor.
        log_level: ``critical``, ``error``, ``warning``, ``info`` or ``debug``.
        settings: Limits, by default read from environment variables.
    """
    settings = settings or ServerSettings.from_environ()
    _configure_logging(log_level)
    keep_freed_memory()
    listener = socket.socket(fileno=fd) if fd is not None else _bind(host, port)
    _tune(listener)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=log_level == "debug",
        lifespan="auto",
        # One frame over the app's own limit is answered with an error frame; one that is far over is cut off.
        ws_max_size=2 * settings.max_frame_bytes,
        ws_ping_interval=_PING_INTERVAL,
        ws_ping_timeout=_PING_PATIENCE,
        ws_per_message_deflate=False,  # costs more time than it saves between neighbours
        timeout_graceful_shutdown=_LAST_CALLS,
    )
    logger.info("serving on %s port %s", *listener.getsockname()[:2])
    _DrainingServer(config, settings.drain_grace).run(sockets=[listener])


class _DrainingServer(uvicorn.Server):
    """A uvicorn server that lets running calls finish, and ends in a normal exit, when signalled."""

    def __init__(self, config: uvicorn.Config, grace: float) -> None:
        super().__init__(config)
        self._grace = grace

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's own would raise the signal again after a clean shutdown and so turn it into a failure.
        self.force_exit = self.should_exit  # a second signal does not wait
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        table = getattr(getattr(self.config.app, "state", None), "sessions", None)
        if isinstance(table, SessionTable) and not self.force_exit:
            # The port stays open meanwhile, so that /health can say what is going on.
            await table.drain(self._grace)
        await super().shutdown(sockets)


def load_app(path: str) -> Any:
    """Import an app by name.

    Args:
        path: ``package.module:attribute``; a function without parameters is called and makes the app.

    Raises:
        UsageError: The name is malformed or leads nowhere.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{path!r} is no app: write it as package.module:attribute")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise UsageError(f"{path!r} is no app: there is no module {error.name!r}") from error
        raise
    target: Any = module
    for name in attribute.split("."):
        if not hasattr(target, name):
            raise UsageError(f"{path!r} is no app: {module_name} has no {name!r}")
        target = getattr(target, name)
    if inspect.isfunction(target) and not inspect.signature(target).parameters:
        return target()
    return target


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _tune(listener: socket.socket) -> None:
    """Turn TCP keepalive on and delays off; accepted connections inherit both."""
    # asyncio turns Nagle's delays (40 ms for the second of two small frames) off by itself only for sockets
    # made with an explicit protocol number, which a listener mostly is not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_KEEPALIVE.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _configure_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Below this uvicorn logs every handshake with its headers, the token among them, and every frame.
    logging.getLogger("uvicorn.error").setLevel(max(logging.INFO, logging.getLogger().level))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m openenv_gym.server.serve", description=__doc__)
    parser.add_argument(
        "app", help="package.module:attribute of an ASGI app, or of a function that makes one"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: loopback only)")
    parser.add_argument("--port", type=int, default=8000, help="port to bind, 0 for a free one")
    parser.add_argument("--fd", type=int, help="serve on this inherited listening socket instead")
    parser.add_argument(
        "--log-level", default="info", choices=["critical", "error", "warning", "info", "debug"]
    )
    options = parser.parse_args(arguments)
    try:
        app = load_app(options.app)
        serve(app, host=options.host, port=options.port, fd=options.fd, log_level=options.log_level)
    except (UsageError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
