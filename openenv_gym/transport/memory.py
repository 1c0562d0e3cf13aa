"""Two connected transports without a socket, for tests and for a server in the same process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NoReturn

from openenv_gym.transport.interface import ConnectionClosed


class MemoryTransport:
    """One end of a pair made by `memory_pair`."""

    def __init__(self) -> None:
        self._arrived: deque[str | bytes] = deque()
        self._closed: ConnectionClosed | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._peer: MemoryTransport | None = None
        self._received = 0

    def send(self, message: str | bytes) -> None:
        """Hand a message to the other end."""
        if self._closed is None and self._peer is not None:
            self._peer._arrived.append(message)
            self._peer._received += 1
            self._peer._wake()

    async def recv(self) -> str | bytes:
        """Wait for the next message; raises `ConnectionClosed` after the last."""
        while not self._arrived:
            if self._closed is not None:
                raise self._closed
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._arrived.popleft()

    async def forward(self, take: Callable[[str | bytes], None]) -> NoReturn:
        """Hand over each message; see `Transport.forward`."""
        while True:
            take(await self.recv())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End both ends; what was sent before stays readable."""
        self._end(ConnectionClosed(code, reason, by_us=True))
        if self._peer is not None:
            self._peer._end(ConnectionClosed(code, reason))

    def abort(self) -> None:
        """End both ends."""
        self._end(ConnectionClosed(by_us=True))
        if self._peer is not None:
            self._peer._end(ConnectionClosed())

    @property
    def progress(self) -> int:
        """How many messages have come."""
        return self._received

    def _end(self, closed: ConnectionClosed) -> None:
        if self._closed is None:
            self._closed = closed
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Make two connected ends; both belong to the loop that uses them."""
    left, right = MemoryTransport(), MemoryTransport()
    left._peer, right._peer = right, left
    return left, right
