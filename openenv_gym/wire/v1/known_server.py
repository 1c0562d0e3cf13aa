"""What a client knows of its server: the terms it was told, and since when it is out of reach."""

from __future__ import annotations

from openenv_gym.errors import NotSupportedError
from openenv_gym.wire.v1.entries import Greeting
from openenv_gym.wire.v1.frame_writer import FrameLimits

_MIN_LIMITS = FrameLimits(16 * 2**20, 2**14)  # before the first greeting
_TAKES = {
    "snapshot": "that takes snapshot() and restore() methods (openenv_gym.server.Restorable)",
    "fork": "that takes snapshot() and restore() methods (openenv_gym.server.Restorable), and an environment "
    "that allows several sessions",
    "render": "that takes a render() method and render_modes (openenv_gym.server.Renderable)",
}
_OPEN_TIMEOUT = 300.0  # seconds, likewise


class KnownServer:
    """The server at the other end of successive connections, which may be restarted in between.

    Args:
        patience: Seconds beyond the server's own times after which an answer is no longer expected.
        outage_timeout: Seconds out of reach that its sessions are kept for; at most its lease and the
            patience.

    Attributes:
        greeting: The terms it last told; ``None`` before the first.
        limits: What one frame may hold by these terms.
        patience: See above.
        away_since: Since when it is out of reach; ``None`` while it is not, or never was met.
    """

    def __init__(self, patience: float, outage_timeout: float) -> None:
        self.greeting: Greeting | None = None
        self.limits = _MIN_LIMITS
        self.patience = patience
        self.away_since: float | None = None
        self._outage_timeout = outage_timeout

    def meet(self, greeting: Greeting) -> None:
        """Take its greeting on a new connection."""
        self.greeting, self.away_since = greeting, None
        self.limits = FrameLimits(greeting.max_frame_bytes, greeting.max_entries)

    def require(self, feature: str) -> None:
        """Insist on something that not every environment can.

        Raises:
            NotSupportedError: The server does not offer it.
        """
        if self.greeting is None or feature not in self.greeting.features:
            raise NotSupportedError(f"the server's environment offers no {feature}: {_TAKES[feature]}")

    def opening_deadline(self, now: float, timeout: float) -> float:
        """When to stop waiting for a session opened now, which may wait ``timeout`` seconds for a slot."""
        making = _OPEN_TIMEOUT if self.greeting is None else self.greeting.open_timeout
        return now + timeout + making + self.patience

    @property
    def outage_ends(self) -> float:
        """When its sessions are given up, if it is still out of reach then."""
        assert self.away_since is not None and self.greeting is not None
        return self.away_since + min(self._outage_timeout, self.greeting.lease + self.patience)
