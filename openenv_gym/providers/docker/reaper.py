"""Removes from a container engine what its owner left there, as soon as the owner ends.

A script, not a module to import: ``python -I -S reaper.py LIFELINE URL [AUTHORITY CERTIFICATE KEY]``. It
needs the standard library alone and loads most of it only when there is something to do.

* ``LIFELINE`` is the read end of a pipe whose other end the owner holds. The owner writes ``+PATH`` before it
  makes something and ``-PATH`` after it removed it, a line each; ``DELETE PATH`` on the engine removes it.
  The end of file means that the owner ended, however that happened; then what is left gets deleted.
* ``URL`` is the engine's: ``http+unix:///path``, ``http://host:port`` or ``https://host:port``; the files are
  for ``https``; where ``AUTHORITY`` is empty, the engine's certificate is not verified.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client

IN_FLIGHT = 5.0  # seconds: what the owner asked for just before its end may appear only now
PATIENCE = 120.0  # seconds, for an engine that is busy or being restarted
PAUSE = 0.2
ATTEMPT = 30.0  # seconds for one request
CONNECTIONS = 16

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGPIPE)
_DONE = (200, 204)
_MISSING = 404
_FIRST = ("/containers/", "/services/")  # networks and volumes can go only after those who use them


def follow(lifeline: int) -> list[str]:
    """Read the pipe to its end; return the paths that are left, in the order they came."""
    left: dict[str, None] = {}
    rest = b""
    while data := os.read(lifeline, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            path = line[1:].decode()
            if line[:1] == b"+":
                left[path] = None
            else:
                left.pop(path, None)
    return list(left)


def remove_all(paths: list[str], url: str, files: list[str]) -> None:
    """Delete every path; return when all are gone or time is up."""
    from concurrent.futures import ThreadPoolExecutor

    owner_ended = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for first in (True, False):
            now = [path for path in paths if path.startswith(_FIRST) == first]
            for done in [pool.submit(remove, path, url, files, owner_ended) for path in now]:
                done.result()


def remove(path: str, url: str, files: list[str], owner_ended: float) -> None:
    """Delete one path, until the engine has done it, or does not know it for long enough."""
    while True:
        status = delete(path, url, files)
        waited = time.monotonic() - owner_ended
        if status in _DONE or waited > (IN_FLIGHT if status == _MISSING else PATIENCE):
            return
        time.sleep(PAUSE)


def delete(path: str, url: str, files: list[str]) -> int:
    """The status that the engine answers with; 0 if it does not."""
    import http.client

    connection = connect(url, files)
    try:
        connection.request("DELETE", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def connect(url: str, files: list[str]) -> http.client.HTTPConnection:
    """A connection to the engine, not open yet."""
    import http.client

    scheme, _, address = url.partition("://")
    if scheme == "http+unix":
        return _unix_connection(address)
    host = address.rstrip("/")
    if scheme == "http":
        return http.client.HTTPConnection(host, timeout=ATTEMPT)
    import ssl

    authority, certificate, key = files
    context = ssl.create_default_context(cafile=authority or None)
    if not authority:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key)
    return http.client.HTTPSConnection(host, timeout=ATTEMPT, context=context)


def _unix_connection(path: str) -> http.client.HTTPConnection:
    import http.client
    import socket

    class UnixConnection(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(ATTEMPT)
            self.sock.connect(path)

    return UnixConnection("localhost")


if __name__ == "__main__":
    for _number in _IGNORED:
        signal.signal(_number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the owner's thread may have blocked some
    if _left := follow(int(sys.argv[1])):
        remove_all(_left, sys.argv[2], sys.argv[3:])
