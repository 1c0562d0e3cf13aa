"""A TCP port that leads to an engine's Unix socket, as for engines of other machines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def forwarded(path: str) -> Iterator[int]:
    """A loopback port whose connections go on to that socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=_accept, args=(listener, path))]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            threads[0].join()


def _accept(listener: socket.socket, path: str) -> None:
    copies: list[threading.Thread] = []
    ends: list[socket.socket] = []
    with suppress(OSError):  # the listener's end
        while True:
            client = listener.accept()[0]
            engine = socket.socket(socket.AF_UNIX)
            ends += [client, engine]
            engine.connect(path)
            for source, target in ((client, engine), (engine, client)):
                copies.append(threading.Thread(target=_copy, args=(source, target)))
                copies[-1].start()
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    for copy in copies:
        copy.join()
    for end in ends:
        end.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
