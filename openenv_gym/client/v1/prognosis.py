"""Whether another connection could go on where one ended."""

from __future__ import annotations

from openenv_gym.errors import OpenEnvGymError, ProtocolError, SessionLostError
from openenv_gym.transport.interface import ConnectionClosed

_MOST_BROKEN = 10  # connections in a row that end in nonsense, before whatever makes it is there to stay
_CLOSE_TOO_BIG = 1009
_CLOSE_RESTART = 1012  # what a server that stops closes with
_CLOSES_FOR_GOOD = frozenset((1003, 1008, 1009, 1010))  # what was said, would be said again
_CLOSES_FOR_NONSENSE = frozenset((1002, 1007))


class Prognosis:
    """Judges the ends of successive connections to one server.

    Attributes:
        broken: Connections in a row that ended in nonsense; whoever hears sense on one sets it to zero.
        is_draining: Whether the server has said that it is about to stop.
    """

    def __init__(self) -> None:
        self.broken = 0
        self.is_draining = False

    def why_for_good(self, closed: ConnectionClosed | ProtocolError) -> OpenEnvGymError | None:
        """Take note of an end, and say why no other connection can go on from it; ``None`` if one may.

        Args:
            closed: How the connection ended, or what was wrong with what came.
        """
        broken = isinstance(closed, ProtocolError) or closed.code in _CLOSES_FOR_NONSENSE
        self.broken = self.broken + 1 if broken else 0
        if isinstance(closed, ProtocolError):
            return closed if self.broken >= _MOST_BROKEN else None
        if self.is_draining or (closed.code == _CLOSE_RESTART and not closed.by_us):
            return SessionLostError("the server has stopped: what became of a call that ran is unknown")
        if closed.code not in _CLOSES_FOR_GOOD and self.broken < _MOST_BROKEN:
            return None
        if closed.code == _CLOSE_TOO_BIG and closed.by_us:
            return SessionLostError("the server sent a message larger than max_message_size_mb: raise it")
        said = f": {closed.reason}" if closed.reason else ""
        who = "this side" if closed.by_us else "the server"
        return SessionLostError(f"{who} closed the connection (code {closed.code}{said})")
