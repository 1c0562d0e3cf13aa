"""The Docker SDK's way through a Unix socket, without its leak: it forgets a socket that was refused.

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
        """The pool of connections for a URL."""
        with self.pools.lock:
            pool: UnixHTTPConnectionPool | None = self.pools.get(url)
            if pool is None:
                pool = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[url] = pool
        return pool
