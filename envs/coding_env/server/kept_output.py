"""KeptOutput: what a program prints, within a bound: the beginning and the end of it."""

from __future__ import annotations


class KeptOutput:
    """Takes any number of bytes and keeps at most ``limit``: tracebacks and results come last.

    Attributes:
        total: How many bytes were taken.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    @property
    def truncated(self) -> bool:
        """Whether something was left out."""
        return self.total > self._limit

    def add(self, data: bytes) -> None:
        """Take what comes next."""
        self.total += len(data)
        room = self._limit - self._limit // 2 - len(self._head)
        self._head += data[:room]
        self._tail += data[max(0, room) :]
        # Not at each call: moving the tail costs its length.
        if len(self._tail) > 2 * self._limit:
            del self._tail[: -(self._limit // 2) or None]

    def text(self) -> str:
        """What is kept, with a line in place of what is left out."""
        if not self.truncated:
            return (self._head + self._tail).decode(errors="replace")
        tail = self._tail[len(self._tail) - self._limit // 2 :]
        left_out = self.total - len(self._head) - len(tail)
        note = f"\n[... {left_out} bytes are left out here: {self._limit} are kept ...]\n"
        return self._head.decode(errors="replace") + note + tail.decode(errors="replace")
