"""Opening connections: what every dialect needs, and what tests replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.transport.interface import Transport


class DialledTransport(Transport, Protocol):
    """An open connection and what was agreed for it.

    Attributes:
        subprotocol: The one the server chose among those offered, or ``None``.
    """

    subprotocol: str | None


class Dial(Protocol):
    """Opens a connection to a server."""

    async def __call__(
        self, endpoint: Endpoint, subprotocols: Sequence[str], timeout: float | None
    ) -> DialledTransport:
        """Connect.

        Args:
            endpoint: The server.
            subprotocols: What to offer, best first.
            timeout: Seconds it may take.

        Raises:
            PeerError: There is no connection to be had.
        """
        ...


@dataclass(frozen=True)
class WebSocketDial:
    """Connects to a server's ``/ws``.

    Attributes:
        headers: Sent along in each handshake: names and values.
        max_message_size: Largest message accepted, bytes.
        ping_interval: Seconds between pings; ``None`` sends none.
        ping_timeout: Seconds a ping may stay unanswered; ``None`` waits forever.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # secrets may be among them
    max_message_size: int = 100 * 2**20
    ping_interval: float | None = 20.0
    ping_timeout: float | None = 15 * 60.0

    async def __call__(
        self, endpoint: Endpoint, subprotocols: Sequence[str], timeout: float | None
    ) -> DialledTransport:
        """Connect; see `Dial`."""
        from openenv_gym.transport.websocket import connect  # at first use: it loads the network library

        return await connect(
            endpoint.base_url,
            token=endpoint.token,
            headers=dict(self.headers),
            subprotocols=subprotocols,
            timeout=timeout,
            max_size=self.max_message_size,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
        )
