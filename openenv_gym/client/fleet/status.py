"""What is told of a fleet's servers, within this process and to others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ServerPhase(StrEnum):
    """What a place of a fleet goes through."""

    STARTING = "starting"
    """A server is being started there, or is about to be."""
    READY = "ready"
    """Its server takes sessions."""
    DRAINING = "draining"
    """Its server takes no new sessions, and stops when those that it has are over."""
    HUNG = "hung"
    """Its server did not answer and is being replaced."""
    DEAD = "dead"
    """Its server ended, or could not be started; another attempt follows."""
    BROKEN = "broken"
    """Its server fails each session."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server of a fleet, or the place of one that is to come.

    Attributes:
        name: The place's name, which a server and those that replace it share.
        state: What goes on there.
        since: When that began, in seconds since the epoch.
        url: Where its server listens; empty while there is none.
        sessions: Sessions that this process runs there.
        capacity: How many sessions it takes; ``None`` where nobody told.
        restarts: How many servers were started there to replace another.
        last_error: Why the last one failed; empty where none did.
    """

    name: str
    state: ServerPhase
    since: float
    url: str = ""
    sessions: int = 0
    capacity: int | None = None
    restarts: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """A fleet as its process told of it.

    Attributes:
        name: Of what it serves.
        pid: The process.
        since: When the fleet was started, in seconds since the epoch.
        target: How many servers it means to have.
        waiting: Sessions that wait for a place.
        trouble: Why nothing works at all; empty where something does.
        servers: One entry a server, or place of one.
    """

    name: str
    pid: int
    since: float
    target: int
    waiting: int = 0
    trouble: str = ""
    servers: tuple[ServerStatus, ...] = ()
