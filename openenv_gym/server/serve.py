"""``python -m openenv_gym.server.serve APP``: run an app on uvicorn until told to stop, then drain.

With ``--workers N`` on several ports at once, each with a process of its own, which uses that many cores: a
client of openenv-gym needs to know one of them, and spreads its sessions over all.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol
from websockets.exceptions import InvalidState

from openenv_gym.errors import UsageError
from openenv_gym.server.allocator import keep_freed_memory
from openenv_gym.server.engine_table import engine_of
from openenv_gym.server.garbage_collector import garbage_collector
from openenv_gym.server.listeners import listen, listen_beside, tune
from openenv_gym.server.options import add_arguments
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from openenv_gym.server.supervisor import NO_APP, NO_START, Supervisor

logger = logging.getLogger(__name__)

# A peer that is merely busy answers no ping; only a dead one stays silent for a quarter of an hour. Peers
# whose machine is gone are found sooner, by TCP itself.
_PING_INTERVAL = 30.0
_PING_PATIENCE = 15 * 60.0
_LAST_CALLS = 5  # seconds that connections get to end once their sessions are closed
_ENGINES = "openenv_gym.engines.app"  # by name, because the engines stand above the server
_MARGIN = 5.0  # seconds beyond all its graces after which a server that should have ended is stuck


def serve(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    fd: int | None = None,
    log_level: str = "info",
    settings: ServerSettings | None = None,
) -> bool:
    """Serve an app in this thread until SIGTERM or SIGINT, then drain and return.

    Args:
        app: An ASGI app.
        host: Address to bind; other machines reach the server only if told so.
        port: Port to bind; 0 takes a free one.
        fd: A listening socket to serve on instead, as an inherited file descriptor.
        log_level: ``critical``, ``error``, ``warning``, ``info`` or ``debug``.
        settings: Limits, by default read from environment variables.

    Returns:
        Whether the app's own startup went well, so that it was served at all.
    """
    settings = settings or ServerSettings.from_environ()
    _configure_logging(log_level)
    return _serve_on(_open(host, port, fd), app, settings)


def _serve_on(
    listener: socket.socket, app: Any, settings: ServerSettings, on_started: Callable[[], None] | None = None
) -> bool:
    """Serve until told to stop; see `serve`."""
    keep_freed_memory()
    garbage_collector.spare_what_lives_long()
    tune(listener)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=logger.isEnabledFor(logging.DEBUG),
        lifespan="auto",
        ws=_ClosingWebSocket,
        # One frame over the app's own limit is answered with an error frame; one that is far over is cut off.
        ws_max_size=2 * settings.max_frame_bytes,
        ws_ping_interval=_PING_INTERVAL,
        ws_ping_timeout=_PING_PATIENCE,
        ws_per_message_deflate=False,  # costs more time than it saves between neighbours
        timeout_graceful_shutdown=_LAST_CALLS,
    )
    logger.info("serving on %s port %s", *listener.getsockname()[:2])
    server = _DrainingServer(config, settings.drain_grace, on_started)
    server.run(sockets=[listener])
    return server.started


def serve_many(
    app: str,
    count: int,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    fd: int | None = None,
    names: Sequence[int | str] | None = None,
    log_level: str = "info",
) -> int:
    """Serve an app on several ports, each in a process of its own, until SIGTERM or SIGINT, then drain.

    To be called in a process with one thread. Settings are read from environment variables, and hold for each
    server by itself.

    Args:
        app: The app, as `load_app` takes it: each process loads it for itself.
        count: How many servers.
        host: Address to bind.
        port: Port of the first; the others take the next free ones after it. 0 takes free ones for all.
        fd: A listening socket for the first instead; the others take free ports.
        names: What clients reach each server by, in order, where that is not its port: ports or URLs.
        log_level: ``critical``, ``error``, ``warning``, ``info`` or ``debug``.

    Returns:
        The exit status: 0 after a signal.

    Raises:
        UsageError: The number of names is not that of servers, or an environment variable holds nonsense.
        OSError: A port is not to be had.
    """
    if names is not None and len(names) != count:
        raise UsageError(f"{count} servers are advertised by as many ports or URLs, not by {len(names)}")
    settings = ServerSettings.from_environ()
    _configure_logging(log_level, of_many=True)
    # Most of what a server loads is the same for every app. Loaded before the fork it is there for all, which
    # start in a third of the time; so does one that is started again.
    importlib.import_module("openenv_gym.server.app")
    first = _open(host, port, fd)
    listeners = [first, *listen_beside(first, count - 1, next_ports=fd is None and port != 0)]

    def serve_one(
        listener: socket.socket, on_loaded: Callable[[], None], on_started: Callable[[], None]
    ) -> int:
        loaded = _load_or_say_why(app)
        if loaded is None:
            return NO_START
        on_loaded()
        return 0 if _serve_on(listener, loaded, settings, on_started) else NO_START

    ports = [listener.getsockname()[1] for listener in listeners]
    logger.info("%d servers, on the ports %s", count, ", ".join(map(str, ports)))
    patience = settings.drain_grace + settings.close_timeout + _LAST_CALLS + _MARGIN
    return Supervisor(listeners, names or ports, serve_one, patience).run()


class _ClosingWebSocket(AutoWebSocketsProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's WebSocket, which may be closing already when the server shuts down."""

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except InvalidState:  # uvicorn would say goodbye a second time, and end the shutdown of all with that
            self.transport.close()


class _DrainingServer(uvicorn.Server):
    """A uvicorn server that lets running calls finish, and ends in a normal exit, when signalled."""

    def __init__(
        self, config: uvicorn.Config, grace: float, on_started: Callable[[], None] | None = None
    ) -> None:
        super().__init__(config)
        self._grace = grace
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_started is not None:
            self._on_started()

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
        path: ``package.module:attribute``; a function without parameters is called and makes the app. Or
            ``engine:ID``, another library's environment.

    Raises:
        UsageError: The name is malformed or leads nowhere.
    """
    if engine_of(path) is not None:
        return importlib.import_module(_ENGINES).create_engine_app(path)
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


def _load_or_say_why(path: str) -> Any | None:
    """Load an app, or log what it raised and return ``None``; what is no app at all is an error as ever."""
    try:
        return load_app(path)
    except UsageError:
        raise
    except Exception:
        logger.exception("%s cannot be loaded", path)
        return None


def _open(host: str, port: int, fd: int | None) -> socket.socket:
    return socket.socket(fileno=fd) if fd is not None else listen(host, port)


def _configure_logging(level: str, *, of_many: bool = False) -> None:
    who = " [%(process)d]" if of_many else ""
    logging.basicConfig(level=level.upper(), format=f"%(asctime)s %(levelname)s{who} %(name)s: %(message)s")
    # Below this uvicorn logs every handshake with its headers, the token among them, and every frame.
    logging.getLogger("uvicorn.error").setLevel(max(logging.INFO, logging.getLogger().level))


def run(app: str, options: argparse.Namespace, *, fd: int | None = None, program: str) -> int:
    """Serve an app as a command line says; returns the exit status.

    Args:
        app: The app, as `load_app` takes it.
        options: Those of `openenv_gym.server.options`.
        fd: See `serve`.
        program: What an error message begins with.
    """
    try:
        if options.workers < 1 or (options.workers == 1 and options.advertise is not None):
            raise UsageError("--workers is at least 1, and at least 2 with --advertise")
        where = {"host": options.host, "port": options.port, "fd": fd, "log_level": options.log_level}
        if options.workers > 1:
            return serve_many(app, options.workers, names=options.advertise, **where)
        return 0 if serve(load_app(app), **where) else NO_START
    except (UsageError, OSError) as error:
        sys.stderr.write(f"{program}: {error}\n")
        return NO_APP


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m openenv_gym.server.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "app",
        help="package.module:attribute of an ASGI app, or of a function that makes one; or engine:ID",
    )
    parser.add_argument("--fd", type=int, help="serve on this inherited listening socket instead of a port")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    return run(options.app, options, fd=options.fd, program=parser.prog)


if __name__ == "__main__":
    sys.exit(main())
