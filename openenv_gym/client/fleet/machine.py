"""What a fleet does and when: starts, looks, replaces, drains, grows and shrinks. No I/O, no clock.

Whoever drives it reports what happened, with the time, calls `FleetMachine.tick` now and then, and carries
out the commands that it collects. Servers are known to it by number: a new one for each start.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

from openenv_gym.client.fleet.breaker import Breaker, BreakerRules
from openenv_gym.client.fleet.commands import Command, End, Look, Start, Stop
from openenv_gym.client.fleet.elasticity import Elasticity, ElasticityRules, Load
from openenv_gym.client.fleet.health import Health, HealthRules
from openenv_gym.client.fleet.place import Place
from openenv_gym.client.fleet.status import ServerPhase, ServerStatus
from openenv_gym.client.roster_view import Census, RosterView, SiteCount
from openenv_gym.errors import UsageError
from openenv_gym.providers.endpoint import Endpoint

_HELD_UP = 3.0  # seconds between ticks after which it is this process that was slow, not its servers
_MOST_CAUSES = 100  # that are remembered; whoever uses a server hears of its end within milliseconds
_LAST_TRIES = 3  # starts that failed in a place, before a fleet below its least size is no fleet


class FleetMachine:
    """A fleet's places and the rules by which they are filled.

    Args:
        name: What the servers are called, before a number.
        size: How many servers to begin with.
        sessions_per_server: Sessions each takes, if that is known.
        elasticity: Bounds and pace of its size.
        health: How servers are watched.
        breaker: How much failure is too much.
        parallel_starts: Starts that may be under way at once.
        drain_timeout: Seconds that sessions on a server get to end when it is no longer wanted.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        sessions_per_server: int | None,
        elasticity: ElasticityRules,
        health: HealthRules,
        breaker: BreakerRules,
        parallel_starts: int,
        drain_timeout: float,
    ) -> None:
        self._name = name
        self._sessions_per_server = sessions_per_server
        self._min_size = elasticity.min_size
        self._elasticity = Elasticity(elasticity, size)
        self._health_rules = health
        self._breaker = Breaker(breaker)
        self._parallel_starts = parallel_starts
        self._drain_timeout = drain_timeout
        self._places: list[Place] = []
        self._numbers = itertools.count()
        self._runs = itertools.count(1)
        self._commands: list[Command] = []
        self._causes: dict[Endpoint, str] = {}
        self._waiting = 0
        self._successes = 0
        self._last_tick: float | None = None
        self._is_shut = False

    # --- what is known ---------------------------------------------------------------------------------

    @property
    def target(self) -> int:
        """How many servers it means to have."""
        return self._elasticity.target

    @property
    def waiting(self) -> int:
        """Sessions that wait for a place."""
        return self._waiting

    @property
    def ready(self) -> int:
        """How many servers take sessions."""
        return sum(place.state is ServerPhase.READY for place in self._places)

    @property
    def trouble(self) -> str:
        """Why nothing works; empty where something does."""
        if self._breaker.cause is not None:
            return f"every server fails its sessions, so no more are started for now: {self._breaker.cause}"
        if self.ready or not any(place.last_error for place in self._places):
            return ""
        place = max((one for one in self._places if one.last_error), key=lambda one: one.since)
        return f"no server of the fleet runs at the moment; of {place.name}: {place.last_error}"

    @property
    def view(self) -> RosterView:
        """What those who use the servers have to know."""
        servers = (place.serving() for place in self._places)
        return RosterView(
            tuple(server for server in servers if server is not None),
            dict(self._causes),
            self.trouble,
            self._breaker.cause is not None,
        )

    @property
    def hopeless(self) -> list[str] | None:
        """Why the first start has come to nothing, one entry a place; ``None`` while it may succeed."""
        missing = [place for place in self._places if place.state is not ServerPhase.READY]
        tries = 1 if len(missing) == len(self._places) else _LAST_TRIES
        if self.ready >= self._min_size or not missing:
            return None
        if any(place.attempts - place.is_being_started < tries for place in missing):
            return None
        return [f"{place.name}: {place.last_error}" for place in missing]

    def status(self, epoch: float) -> tuple[ServerStatus, ...]:
        """Tell of each server; see `Place.status`."""
        return tuple(place.status(epoch) for place in self._places)

    def take_commands(self) -> list[Command]:
        """Take what is to be done now."""
        commands, self._commands = self._commands, []
        return commands

    # --- what is asked of it ---------------------------------------------------------------------------

    def resize(self, size: int) -> None:
        """Have so many servers."""
        self._elasticity.set_target(size)

    def drain(self, now: float, name: str, timeout: float | None) -> None:
        """Let a server finish its sessions and go; another takes its place.

        Raises:
            UsageError: There is none of that name.
        """
        for place in self._places:
            if place.name == name:
                return self._retire(place, now, timeout)
        names = ", ".join(place.name for place in self._places)
        raise UsageError(f"no server {name!r} in this fleet; there are {names}")

    def shut(self, now: float) -> None:
        """Stop everything, and start nothing any more."""
        self._is_shut = True
        for place in list(self._places):
            self._discard(place, "the fleet was stopped")

    # --- what happened ---------------------------------------------------------------------------------

    def started(self, now: float, run: int, endpoint: Endpoint) -> None:
        """A server is up."""
        place = self._find(run)
        if place is None:
            return  # it was given up meanwhile, and is being stopped
        place.endpoint = endpoint
        place.capacity = self._sessions_per_server
        place.health = Health(self._health_rules, now)
        place.backoff.served(now)
        place.enter(ServerPhase.READY, now)

    def start_failed(self, now: float, run: int, error: str) -> None:
        """A server could not be started; its provider has left nothing."""
        if (place := self._find(run)) is not None:
            self._lose(place, now, ServerPhase.DEAD, error)

    def looked(self, now: float, run: int, end: End | None, problem: str | None, *, asked: bool) -> None:
        """A look is over.

        Args:
            now: The time.
            run: The server.
            end: How it ended, if it did.
            problem: Why there was no good answer, or could be none.
            asked: Whether one was.
        """
        place = self._find(run)
        if place is None or place.health is None or place.look_began is None:
            return
        place.look_began = None
        if end is not None:
            self._lose(place, now, ServerPhase.DEAD, f"it {end.how}")
            place.last_error += f"; the last it wrote: {end.last_words}" if end.last_words else ""
        elif problem is not None:
            if not asked:
                place.health.put_off(now)
            self._note_miss(place, now, problem)
        elif asked:
            place.health.answered(now)

    def observe(self, now: float, censuses: Iterable[Census]) -> None:
        """Take in what those who use the servers know of them."""
        totals: dict[Endpoint, SiteCount] = {}
        waiting = successes = 0
        for census in censuses:
            waiting += census.waiting
            successes += census.successes
            for endpoint, count in census.sites.items():
                totals[endpoint] = _added(totals.get(endpoint), count)
        if successes > self._successes:
            self._breaker.succeeded()
        self._waiting, self._successes = waiting, successes
        for place in list(self._places):
            if place.endpoint is not None:
                place.count = totals.get(place.endpoint, SiteCount(is_draining=place.is_draining))
                self._judge(place, now)

    # --- time ------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self._is_shut:
            return
        self._note_stall(now)
        self._breaker.wake(now)
        for place in list(self._places):
            if place.is_draining:
                self._end_drain(place, now)
        self._scale(now)
        self._start_due(now)
        for place in self._places:
            self._look_if_due(place, now)
            if place.endpoint is not None and not place.is_draining:
                broken = self._breaker.cause is not None
                place.enter(ServerPhase.BROKEN if broken else ServerPhase.READY, now)

    def _note_stall(self, now: float) -> None:
        last, self._last_tick = self._last_tick, now
        if last is not None and now - last > _HELD_UP:
            for place in self._places:
                if place.health is not None:
                    place.health.forgive()
                if place.look_began is not None:
                    place.look_began = now

    def _scale(self, now: float) -> None:
        active = [place for place in self._places if not place.is_draining]
        up = [place for place in active if place.endpoint is not None]
        before = self.target
        if self._breaker.cause is None:
            capacities = [place.capacity or place.count.room for place in up]
            load = Load(
                servers=len(active),
                starting=len(active) - len(up),
                sessions=sum(place.count.sessions for place in up),
                waiting=self._waiting,
                emptiest=min((place.count.sessions for place in up), default=0),
                capacity=min((one for one in capacities if one), default=self._sessions_per_server),
            )
            self._elasticity.observe(now, load)
        for _ in range(self.target - len(active)):
            self._places.append(Place(f"{self._name}-{next(self._numbers)}", now))
        superfluous = len(active) - self.target
        if superfluous > 0:
            # What does not serve is given up first, then what serves fewest.
            active.sort(key=lambda place: (place.endpoint is not None, place.count.sessions))
            # What is merely not needed may take its time: no episode is cut for it.
            patience = math.inf if self.target < before else None
            for place in active[:superfluous]:
                self._retire(place, now, patience)

    def _start_due(self, now: float) -> None:
        under_way = sum(place.is_being_started for place in self._places)
        due = [place for place in self._places if place.run is None and place.start_at <= now]
        for place in sorted(due, key=lambda place: place.start_at)[
            : max(0, self._parallel_starts - under_way)
        ]:
            place.run = next(self._runs)
            place.attempts += 1
            place.enter(ServerPhase.STARTING, now)
            self._commands.append(Start(place.run, place.name))

    def _look_if_due(self, place: Place, now: float) -> None:
        health = place.health
        if health is None or place.run is None or place.endpoint is None:
            return
        if place.look_began is not None:
            if now - place.look_began >= self._health_rules.timeout + self._health_rules.interval:
                place.look_began = None  # whatever it still says, is not heard
                if place.look_asks:
                    self._note_miss(place, now, "there was no end to it")
        elif now >= health.wakeup:
            place.look_began = now
            place.look_asks = health.take_turn(now)
            self._commands.append(Look(place.run, place.endpoint, place.look_asks))

    def _note_miss(self, place: Place, now: float, problem: str) -> None:
        assert place.health is not None
        if place.health.missed():
            misses = self._health_rules.misses
            self._lose(
                place, now, ServerPhase.HUNG, f"it gave no good answer {misses} times in a row: {problem}"
            )

    # --- ends ------------------------------------------------------------------------------------------

    def _judge(self, place: Place, now: float) -> None:
        """Replace a server that fails each session though it is there: one that answers meanwhile."""
        count, health = place.count, place.health
        if not self._breaker.is_suspicious(count.misfires) or health is None or place.is_draining:
            place.suspected_at = None
            return
        if place.suspected_at is None:
            place.suspected_at = now
        if health.answered_at <= place.suspected_at:
            return
        cause = (
            f"{count.misfires} episodes in a row failed at their start, the last with: {count.last_misfire}"
        )
        if self._breaker.condemns(now, cause):
            self._lose(place, now, ServerPhase.BROKEN, cause)

    def _lose(self, place: Place, now: float, state: ServerPhase, error: str) -> None:
        """Give up a server, and have another in its place after a pause."""
        place.last_error = error
        if place.is_draining:
            self._discard(place, error, by_force=state is ServerPhase.HUNG)
            return
        self._give_up(place, error, by_force=state is ServerPhase.HUNG)
        place.start_at = place.backoff.failed(now)
        place.enter(state, now)

    def _retire(self, place: Place, now: float, timeout: float | None) -> None:
        """Have a server go when its sessions are over."""
        if place.endpoint is None:
            self._discard(place, "it is not wanted any more")
        elif not place.is_draining:
            place.enter(ServerPhase.DRAINING, now)
            place.drain_until = now + (self._drain_timeout if timeout is None else timeout)

    def _end_drain(self, place: Place, now: float) -> None:
        """Stop a drained server, once all have been told who might go there."""
        if now >= place.drain_until:
            self._discard(place, "it was drained, and the time for its sessions was up")
        elif place.count.is_draining and not place.count.sessions:
            self._discard(place, "it was drained")

    def _discard(self, place: Place, cause: str, *, by_force: bool = False) -> None:
        self._places.remove(place)
        self._give_up(place, cause, by_force=by_force)

    def _give_up(self, place: Place, cause: str, *, by_force: bool = False) -> None:
        """Have a place's server stopped in the background, and those who use it told."""
        if place.endpoint is not None:
            self._causes[place.endpoint] = f"the server {place.name} is gone: {cause}"
            while len(self._causes) > _MOST_CAUSES:
                del self._causes[next(iter(self._causes))]
        if place.run is not None:
            self._commands.append(Stop(place.run, by_force))
        place.clear()

    def _find(self, run: int) -> Place | None:
        return next((place for place in self._places if place.run == run), None)


def _added(one: SiteCount | None, other: SiteCount) -> SiteCount:
    """What two users know of one server."""
    if one is None:
        return other
    return SiteCount(
        sessions=one.sessions + other.sessions,
        is_draining=one.is_draining and other.is_draining,
        room=one.room if other.room is None else other.room,
        misfires=one.misfires + other.misfires,
        last_misfire=other.last_misfire or one.last_misfire,
    )
