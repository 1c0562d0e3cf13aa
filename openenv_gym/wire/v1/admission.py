"""The queue of opens that wait for a slot: bounded, first come first served, each with a deadline."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class WaitingOpen:
    """One open that waits.

    Attributes:
        session: The id to open.
        connection: The connection it came over, and leaves with.
        deadline: When it stops waiting.
        parent: The session to fork from, if any.
        snapshot: That session's snapshot to start from.
    """

    session: str
    connection: int
    deadline: float
    parent: str | None = None
    snapshot: str | None = None


class AdmissionQueue:
    """Opens in the order of their arrival.

    Args:
        limit: How many may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: OrderedDict[str, WaitingOpen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, session: str) -> bool:
        return session in self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no further open may wait."""
        return len(self._waiting) >= self._limit

    @property
    def next_deadline(self) -> float | None:
        """When the first of them stops waiting."""
        return min((waiting.deadline for waiting in self._waiting.values()), default=None)

    def join(self, waiting: WaitingOpen) -> None:
        """Add an open at the end."""
        self._waiting[waiting.session] = waiting

    def move(self, session: str, connection: int) -> None:
        """Let a newer connection speak for an open; it keeps its place."""
        waiting = self._waiting[session]
        waiting.connection = max(waiting.connection, connection)

    def leave(self, session: str) -> bool:
        """Take an open out; says whether it waited."""
        return self._waiting.pop(session, None) is not None

    def leave_with(self, connection: int) -> None:
        """Take out what came over a connection that is gone."""
        for session in [key for key, waiting in self._waiting.items() if waiting.connection == connection]:
            del self._waiting[session]

    def pop(self) -> WaitingOpen:
        """Take the first out; raises ``KeyError`` when nobody waits."""
        return self._waiting.popitem(last=False)[1]

    def expire(self, now: float) -> list[WaitingOpen]:
        """Take out those whose deadline has passed."""
        late = [waiting for waiting in self._waiting.values() if waiting.deadline <= now]
        for waiting in late:
            del self._waiting[waiting.session]
        return late
