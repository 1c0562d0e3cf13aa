"""What a pool of sessions and those who keep its servers tell each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from openenv_gym.providers.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs.

    Attributes:
        endpoint: Where it listens.
        capacity: Sessions it takes; ``None`` where only the server knows.
        is_draining: It takes no new ones.
    """

    endpoint: Endpoint
    capacity: int | None = None
    is_draining: bool = False


@dataclass(frozen=True, slots=True)
class RosterView:
    """The servers that there are now.

    Attributes:
        servers: Those that run.
        causes: Why some are no more, by endpoint.
        trouble: Why there may be none, for messages; empty where all is well.
        is_open: No session is to be started at all, because each would fail as ``trouble`` says.
    """

    servers: tuple[Serving, ...] = ()
    causes: Mapping[Endpoint, str] = field(default_factory=dict)
    trouble: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class SiteCount:
    """What a pool knows of one server.

    Attributes:
        sessions: Sessions that it has there, or is opening.
        is_draining: It has been told that the server takes no more.
        room: Sessions that fit there, as far as the server told.
        misfires: Episodes in a row that failed at their start.
        last_misfire: How the last of them failed.
    """

    sessions: int = 0
    is_draining: bool = False
    room: int | None = None
    misfires: int = 0
    last_misfire: str = ""


@dataclass(frozen=True, slots=True)
class Census:
    """What a pool knows of all servers.

    Attributes:
        sites: By endpoint.
        waiting: Sessions that wait for a place.
        successes: Episodes that began well so far, anywhere.
    """

    sites: Mapping[Endpoint, SiteCount]
    waiting: int = 0
    successes: int = 0


class RosterListener(Protocol):
    """Who places sessions on servers that come and go. Its methods are called from any thread, and return
    at once."""

    def update(self, view: RosterView) -> None:
        """Take in which servers there are now."""
        ...

    def census(self) -> Census:
        """Tell what became of it."""
        ...


class RosterSource(Protocol):
    """Who keeps servers, and tells those who use them as they come and go."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The servers that take sessions now."""
        ...

    def attach(self, listener: RosterListener) -> None:
        """Tell a listener of the servers, now and whenever that changes, in order."""
        ...

    def detach(self, listener: RosterListener) -> None:
        """Tell it no more."""
        ...
