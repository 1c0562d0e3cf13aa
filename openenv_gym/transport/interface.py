"""What every transport offers, and how it says that it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, Protocol


class ConnectionClosed(Exception):
    """The connection is over: nothing more can be sent, and all that had arrived was received.

    Attributes:
        code: The WebSocket close code (RFC 6455, 7.4), 1006 when the connection was cut without one.
        reason: What the side that closed said about it.
        by_us: Whether this side closed.
    """

    def __init__(self, code: int = 1006, reason: str = "", *, by_us: bool = False) -> None:
        super().__init__(f"close code {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason
        self.by_us = by_us


class Transport(Protocol):
    """One connection that carries whole messages, used from one event loop."""

    def send(self, message: str | bytes) -> None:
        """Queue one message; never blocks. On a connection that is over it does nothing: `forward` tells.

        The queue has no bound of its own: a session has one call in flight, and that bounds it.
        """
        ...

    async def forward(self, take: Callable[[str | bytes], None]) -> NoReturn:
        """Hand over each message at once as it comes, beginning with those that came before.

        Args:
            take: Gets the messages; text may come as its UTF-8 bytes.

        Raises:
            ConnectionClosed: The connection is over.
            Exception: What ``take`` raised; it gets nothing more.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection and wait (bounded) until it is over; does nothing when it already is."""
        ...

    def abort(self) -> None:
        """End the connection at once, whether the other side hears of it or not; `forward` tells."""
        ...

    @property
    def progress(self) -> int:
        """A number that changes when bytes come or go, those of unfinished messages included."""
        ...
