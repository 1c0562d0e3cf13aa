"""One place in a fleet, which a server fills, and another when that one is lost. No I/O."""

from __future__ import annotations

from openenv_gym.client.fleet.backoff import Backoff
from openenv_gym.client.fleet.health import Health
from openenv_gym.client.fleet.status import ServerPhase, ServerStatus
from openenv_gym.client.roster_view import Serving, SiteCount
from openenv_gym.providers.endpoint import Endpoint


class Place:
    """What is known of a place and of the server in it.

    Args:
        name: Which outlives its servers.
        now: The time in seconds, on the fleet's clock.

    Attributes:
        state: What goes on here.
        since: When that began.
        run: The number of the server that is here or being started; ``None`` while there is none.
        endpoint: Where it listens; ``None`` while there is none that does.
        health: Its answers so far; while it listens.
        look_began: When the look at it began that is not over.
        look_asks: Whether it asks for an answer.
        start_at: When the next one is to be started, while there is none.
        backoff: The failures here.
        attempts: How many were started here.
        last_error: Why the last one failed.
        suspected_at: Since when it may be what fails its sessions; ``None`` while nothing suggests that.
        drain_until: When the sessions that are left are given up, while it drains.
        count: What those who use it say of it.
        capacity: Sessions it takes; ``None`` where nobody told.
    """

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.state = ServerPhase.STARTING
        self.since = now
        self.run: int | None = None
        self.endpoint: Endpoint | None = None
        self.health: Health | None = None
        self.look_began: float | None = None
        self.look_asks = False
        self.start_at = now
        self.backoff = Backoff()
        self.attempts = 0
        self.last_error = ""
        self.suspected_at: float | None = None
        self.drain_until = 0.0
        self.count = SiteCount()
        self.capacity: int | None = None

    @property
    def is_draining(self) -> bool:
        """Whether it takes no more sessions, and is given up when those it has are over."""
        return self.state is ServerPhase.DRAINING

    @property
    def is_being_started(self) -> bool:
        """Whether a start is under way."""
        return self.run is not None and self.endpoint is None

    def enter(self, state: ServerPhase, now: float) -> None:
        """Change the state."""
        if state is not self.state:
            self.state, self.since = state, now

    def clear(self) -> None:
        """Forget the server that was here."""
        self.run = self.endpoint = self.health = self.look_began = self.suspected_at = None
        self.count = SiteCount()

    def serving(self) -> Serving | None:
        """The server here, for those who use it; ``None`` while none listens."""
        if self.endpoint is None:
            return None
        return Serving(self.endpoint, self.capacity, self.is_draining)

    def status(self, epoch: float) -> ServerStatus:
        """What to tell of it.

        Args:
            epoch: What to add to the fleet's clock for seconds since the epoch.
        """
        return ServerStatus(
            name=self.name,
            state=self.state,
            since=round(self.since + epoch, 3),
            url="" if self.endpoint is None else self.endpoint.base_url,
            sessions=self.count.sessions,
            capacity=self.capacity if self.capacity is not None else self.count.room,
            restarts=max(0, self.attempts - 1),
            last_error=self.last_error,
        )
