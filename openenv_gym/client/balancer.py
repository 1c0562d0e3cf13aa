"""Which of several servers the next session goes to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

from openenv_gym.providers.endpoint import Endpoint

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 2.0  # seconds, for a server that does not answer
_LONGEST_PAUSE_WHEN_FULL = 1.0  # seconds, for one that answers and may have a slot any moment


class Site:
    """One server and what is known of its health.

    Attributes:
        endpoint: The server.
        is_given: The user named it; else another server did.
        sessions: How many sessions of ours it runs.
        failures: Openings that failed since one worked.
        retry_at: When it may be asked again, on the balancer's clock.
        capacity: Sessions it takes at most, where whoever started it says so.
        room: Sessions that fit there, as far as it has told.
        is_draining: It takes no new sessions.
        gone: Why it is no more; ``None`` while it is there.
        misfires: Episodes in a row that failed at their start.
        last_misfire: How the last of them failed.
    """

    def __init__(self, endpoint: Endpoint, *, is_given: bool = True) -> None:
        self.endpoint = endpoint
        self.is_given = is_given
        self.sessions = 0
        self.failures = 0
        self.retry_at = 0.0
        self.capacity: int | None = None
        self.room: int | None = None
        self.is_draining = False
        self.gone: str | None = None
        self.misfires = 0
        self.last_misfire = ""

    @property
    def is_full(self) -> bool:
        """Whether sessions of ours queue there for a slot."""
        room = _least(self.room, self.capacity)
        return room is not None and self.sessions > room


class Balancer:
    """Spreads sessions over servers, with a growing pause after each failure.

    The server with the fewest sessions comes first, or the one where they are the smallest part of its room
    once all have told it; one that has no room comes last.

    Args:
        endpoints: Those to begin with.
        clock: Tells the time in seconds.
        jitter: Gives numbers in [0, 1), so that many clients do not come back at the same moment.

    Attributes:
        sites: The servers; may be added to, and taken from.
        waiting: Sessions that look for a server.
        successes: Episodes that began well so far.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.sites = [Site(endpoint) for endpoint in endpoints]
        self.waiting = 0
        self.successes = 0
        self._clock = clock
        self._jitter = jitter

    def ready(self) -> list[Site]:
        """List the sites that may be asked now."""
        now = self._clock()
        return [site for site in self.sites if site.retry_at <= now and not site.is_draining]

    def acquire(self, rooms: Mapping[Site, int | None] | None = None) -> tuple[Site, float] | None:
        """Choose a site for one session and count it there.

        Args:
            rooms: The sites to prefer, with the slots that are free or ours at each; ``None`` for one that
                does not tell.

        Returns:
            The site, and the seconds to wait before asking it (0.0: now); ``None`` while there is no site.
        """
        ready = self.ready()
        known = {site: rooms[site] for site in ready if site in rooms} if rooms else {}
        if ready:
            site, pause = _emptiest(known or dict.fromkeys(ready)), 0.0
        else:
            resting = [site for site in self.sites if not site.is_draining]
            if not resting:
                return None
            site = min(resting, key=lambda one: one.retry_at)
            pause = (site.retry_at - self._clock()) * (1.0 + self._jitter())
        site.sessions += 1
        return site, pause

    def relief(self, site: Site) -> Site | None:
        """Choose a site to which one of another's sessions should move, and count it there.

        From a server that is no longer wanted to any that has room; else to one on which even then a smaller
        part of the room would be taken. Servers come back empty, and would stay so.
        """
        others = [one for one in self.ready() if one is not site and not one.failures]
        if not others:
            return None
        best = _emptiest({one: one.room for one in others})
        there, here = _least(best.room, best.capacity), _least(site.room, site.capacity)
        if there is not None and best.sessions >= there:
            return None
        if not (there and here):
            there = here = 1
        if not site.is_draining and (best.sessions + 1) / there >= site.sessions / here:
            return None
        best.sessions += 1
        return best

    def join(self, site: Site) -> None:
        """Count a session that a fork opened on a site."""
        site.sessions += 1

    def release(self, site: Site) -> None:
        """Take back one session's count: it ended, or never began."""
        site.sessions -= 1

    def succeeded(self, site: Site) -> None:
        """Record that the site opened a session."""
        site.failures = 0
        site.retry_at = 0.0

    def failed(self, site: Site, *, full: bool = False, retry_after: float | None = None) -> None:
        """Record that the site opened no session; it is left alone for a while.

        Args:
            site: The site.
            full: It answered, but has no free slot.
            retry_after: Seconds the server itself asked for.
        """
        now = self._clock()
        if now < site.retry_at:
            return  # many lanes fail at once when a server dies: that is one failure
        longest = _LONGEST_PAUSE_WHEN_FULL if full else _LONGEST_PAUSE
        pause = min(longest, max(_FIRST_PAUSE * 2 ** min(site.failures, 10), retry_after or 0.0))
        site.failures += 1
        site.retry_at = now + pause


def _emptiest(rooms: Mapping[Site, int | None]) -> Site:
    known = {site: _least(room, site.capacity) for site, room in rooms.items()}
    told = None not in known.values()

    def rank(site: Site) -> tuple[bool, float, int, int]:
        room = known[site]
        is_full = room is not None and site.sessions >= room
        load = (site.sessions + 1) / room if told and room else 0.0
        return is_full, load, site.sessions, site.failures

    return min(rooms, key=rank)


def _least(one: int | None, other: int | None) -> int | None:
    return min((number for number in (one, other) if number is not None), default=None)
