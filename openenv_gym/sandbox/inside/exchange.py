"""A running program's input and outputs: moved without waiting, kept within bounds."""

from __future__ import annotations

import contextlib
import os
import select

_CHUNK = 1 << 16
# A program that prints on beyond its limit is drained (its exit code may matter), but not for ever.
_DRAIN_FACTOR = 64


class Exchange:
    """A program's standard input going out and its two outputs coming in, bounded."""

    def __init__(self, feed: int, stdin: bytes, out: int, err: int, limit: int) -> None:
        self._feed: int | None = feed
        self._pending = stdin
        self._sent = 0
        self._limit = limit
        self.stdout, self.stderr = bytearray(), bytearray()
        self._sources = {out: self.stdout, err: self.stderr}
        self._drained = 0
        self.truncated = False
        for descriptor in (feed, out, err):
            os.set_blocking(descriptor, False)
        if not stdin:
            self._close_feed()

    @property
    def excessive(self) -> bool:
        """The program has printed so much that it is to be stopped."""
        return self._drained > _DRAIN_FACTOR * self._limit

    def register(self, poller: select.poll) -> None:
        """Have ``poller`` wake up for whatever `move` can do."""
        for descriptor in self._sources:
            poller.register(descriptor, select.POLLIN)
        if self._feed is not None:
            poller.register(self._feed, select.POLLOUT)

    def move(self, poller: select.poll, ready: set[int]) -> None:
        """Read and write what can be without waiting; what has ended is closed and unregistered."""
        feed = self._feed
        if feed is not None and feed in ready and self._write(feed):
            poller.unregister(feed)
            self._close_feed()
        for descriptor in ready & self._sources.keys():
            if not self._read(descriptor):
                poller.unregister(descriptor)
                os.close(descriptor)
                del self._sources[descriptor]

    def drain(self) -> None:
        """Take what is left in the pipes and close everything; the writers are dead."""
        for descriptor in self._sources:
            with contextlib.suppress(BlockingIOError):
                while self._read(descriptor):
                    if self.excessive:
                        break
            os.close(descriptor)
        self._sources.clear()
        self._close_feed()

    def _read(self, descriptor: int) -> bool:
        """One chunk; False at the end. What is beyond the limit is counted and dropped."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        buffer = self._sources[descriptor]
        room = self._limit - len(buffer)
        buffer += data[:room]
        if len(data) > room:
            self.truncated = True
        self._drained += len(data)
        return bool(data)

    def _write(self, feed: int) -> bool:
        """One chunk of the input; whether that was the last, or nobody reads on."""
        try:
            self._sent += os.write(feed, self._pending[self._sent : self._sent + _CHUNK])
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True
        return self._sent == len(self._pending)

    def _close_feed(self) -> None:
        if self._feed is not None:
            os.close(self._feed)
            self._feed = None
