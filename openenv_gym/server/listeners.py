"""Listening sockets: one, and others beside it on neighbouring ports."""

from __future__ import annotations

import errno
import logging
import socket

from openenv_gym.errors import UsageError

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_MOST_TAKEN = 100  # ports in a row that belong to others before we stop looking
_LAST_PORT = 65535
_TCP_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free one.

    Raises:
        OSError: It is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def listen_beside(first: socket.socket, count: int, *, next_ports: bool) -> list[socket.socket]:
    """Listen on further ports of a socket's address.

    Args:
        first: The socket.
        count: How many.
        next_ports: On the ports after its own, leaving out those that are taken; else on any free ones.

    Raises:
        UsageError: It is no TCP socket.
        OSError: So many ports are not to be had.
    """
    if first.family not in (socket.AF_INET, socket.AF_INET6):
        raise UsageError("several servers need TCP ports: the socket they are to share a host with is none")
    host, port = first.getsockname()[:2]
    if not next_ports:
        return [listen(host, 0) for _ in range(count)]
    found: list[socket.socket] = []
    last = min(port + count + _MOST_TAKEN, _LAST_PORT)
    for candidate in range(port + 1, last + 1):
        if len(found) == count:
            break
        try:
            found.append(listen(host, candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            logger.warning("port %d is taken: the next one is used instead", candidate)
    if len(found) < count:
        raise OSError(errno.EADDRINUSE, f"no {count} free ports between {port + 1} and {last}")
    return found


def tune(listener: socket.socket) -> None:
    """Turn TCP keepalive on and delays off; accepted connections inherit both."""
    # asyncio turns Nagle's delays (40 ms for the second of two small frames) off by itself only for sockets
    # made with an explicit protocol number, which a listener mostly is not.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_KEEPALIVE.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
