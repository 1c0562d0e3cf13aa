"""Exits with 0 when the server in this container answers ``GET /health`` with 200: a container's HEALTHCHECK.

It needs the standard library's smallest part, so that a probe costs little more than Python's own start.
"""

import socket
import sys

_PORT = 8000
_TIMEOUT = 4.0  # seconds


def main() -> int:
    """Ask once; returns the exit status."""
    request = b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", _PORT), _TIMEOUT) as connection:
            connection.sendall(request)
            status = connection.makefile("rb").readline(1024).split()
    except OSError as error:
        print(error)
        return 1
    print(b" ".join(status).decode("latin-1"))
    return 0 if status[1:2] == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main())
