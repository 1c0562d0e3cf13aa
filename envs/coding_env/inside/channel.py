"""The connection between a server and one interpreter: a request is a number and code, its reply a number.

Replies have one size and hold nothing but integers: hostile code that reaches the descriptor can lie about
its own exit code, and do no more. What the code prints does not travel here.
"""

from __future__ import annotations

import fcntl
import os
import struct

REQUEST = struct.Struct("!IBI")
"""The request's number, its operation, the length of the text that follows (UTF-8)."""
REPLY = struct.Struct("!Ii")
"""The request's number, and an exit code."""

RUN, SEED = 0, 1

# Far above what code opens, so that its files get the numbers they would have anyway.
_LOWEST = 200


class Channel:
    """The interpreter's end, which came as standard input and is moved out of the way.

    No program that the code starts inherits it, and no fork of the interpreter keeps it.
    """

    def __init__(self) -> None:
        self._descriptor = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.register_at_fork(after_in_child=self._close)

    def receive(self) -> tuple[int, int, str] | None:
        """The next request as ``(number, operation, text)``; None when the server is gone."""
        header = self._read(REQUEST.size)
        if len(header) < REQUEST.size:
            return None
        number, operation, length = REQUEST.unpack(header)
        body = self._read(length)
        return (number, operation, body.decode()) if len(body) == length else None

    def reply(self, number: int, exit_code: int) -> None:
        """Answer request ``number``.

        Raises:
            OSError: The server is gone, or the code has closed the descriptor.
        """
        os.write(self._descriptor, REPLY.pack(number, exit_code))

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            chunk = os.read(self._descriptor, min(length - len(data), 1 << 16))
            if not chunk:
                break
            data += chunk
        return bytes(data)

    def _close(self) -> None:
        os.close(self._descriptor)
