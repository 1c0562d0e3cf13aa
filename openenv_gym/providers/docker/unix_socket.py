"""The Docker SDK's way through a Unix socket, with fewer of them.

The SDK's own forgets a socket that was refused, and keeps connections apart by the whole URL, path included:
each new container's are new ones, which stay open for long.

Imported only where the SDK is known to be installed.
"""

from __future__ import annotations

import socket
from typing import Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        # Known before it is connected, so that whoever drops this connection closes it.
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_socket)


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        return _Connection(self.base_url, self.socket_path, self.timeout)  # type: ignore[arg-type]


class UnixSocketAdapter(UnixHTTPAdapter):
    """To be mounted on the SDK's client instead of its own."""

    def get_connection(self, url: Any, proxies: object = None) -> UnixHTTPConnectionPool:
        """The connections to the engine, whatever the URL."""
        with self.pools.lock:
            pool: UnixHTTPConnectionPool | None = self.pools.get(self.socket_path)
            if pool is None:
                pool = _Pool("http+docker://localhost", self.socket_path, self.timeout, self.max_pool_size)
                self.pools[self.socket_path] = pool
        return pool
