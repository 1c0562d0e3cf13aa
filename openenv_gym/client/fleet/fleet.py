"""Fleet: several servers of one environment, started, watched, replaced and stopped as one thing."""

from __future__ import annotations

import asyncio
import copy
import os
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from openenv_gym.client.fleet.breaker import BreakerRules
from openenv_gym.client.fleet.elasticity import ElasticityRules
from openenv_gym.client.fleet.health import HealthRules
from openenv_gym.client.fleet.machine import FleetMachine
from openenv_gym.client.fleet.progress import showing
from openenv_gym.client.fleet.status import FleetStatus, ServerStatus
from openenv_gym.client.fleet.supervisor import Supervisor
from openenv_gym.client.roster_view import RosterListener
from openenv_gym.errors import ClosedError, StartupError, UsageError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.openenv_provider import OpenEnvContainerProvider, as_provider
from openenv_gym.providers.provider import Provider

_CAPACITY_VARIABLE = "MAX_CONCURRENT_ENVS"


class Fleet:
    """Keeps several servers running under the sessions that use them::

        with Fleet(ProcessProvider(), 2, spec=ServerSpec(app="echo_env.server.app:app")) as fleet:
            with RemoteVectorEnv(provider=fleet, num_envs=32) as envs:
                envs.reset(seed=1)

    Servers start in parallel. One that ends, or answers no ``GET /health``, or fails every session, is
    stopped and replaced; sessions that were on it are lost at once, and their next ``reset`` runs on another
    server, or waits for the replacement where there is no room. Starts that fail again and again are repeated
    with growing pauses, which `status` shows.

    Several environments may share a fleet that was started. One that was not is started by the first
    environment it is given to, and stopped with the last. It is used once: a copy or a pickle of a fleet is a
    new one with the same configuration and no servers.

    Args:
        provider: One whose copies start the servers, or what makes one for each, for example a class.
        size: How many servers to start with.
        spec: What they run; by default what the environment asks for that the fleet is given to, or what the
            provider runs anyway.
        sessions_per_server: Sessions that each takes (its ``MAX_CONCURRENT_ENVS``); by default its own
            choice.
        min_size: Fewest servers. `start` returns as soon as so many are up; the others follow. By default
            ``size``, as is ``max_size``: then the fleet neither grows nor shrinks.
        max_size: Most servers. Servers are added while sessions wait for a place, and taken away when they
            were not needed for a while.
        parallel_starts: Servers that may be starting at once.
        health: How servers are watched.
        breaker: How much failure of sessions is too much.
        scale_up_after: Seconds for which sessions must have waited before a server is added.
        scale_down_after: Seconds for which a server must have been superfluous before it is taken away.
        drain_timeout: Seconds that sessions get to end on a server that `drain` or `resize` takes away. One
            that is merely superfluous waits for its sessions as long as they last.
        progress: Whether `start` draws a progress bar; by default on a terminal, where ``rich`` is installed.
    """

    def __init__(
        self,
        provider: Provider | Callable[[], Provider | OpenEnvContainerProvider],
        size: int = 4,
        *,
        spec: ServerSpec | None = None,
        sessions_per_server: int | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        parallel_starts: int = 8,
        health: HealthRules | None = None,
        breaker: BreakerRules | None = None,
        scale_up_after: float = 1.0,
        scale_down_after: float = 60.0,
        drain_timeout: float = 300.0,
        progress: bool | None = None,
    ) -> None:
        self._supervisor: Supervisor | None = None
        if not (isinstance(provider, Provider) or callable(provider)):
            raise UsageError(
                "a fleet takes a provider of this library, whose copies start the servers, or what makes one "
                f"for each, for example its class; not {provider!r}"
            )
        self._rules = ElasticityRules(
            size if min_size is None else min_size,
            size if max_size is None else max_size,
            scale_up_after,
            scale_down_after,
        )
        if not 1 <= self._rules.min_size <= size <= self._rules.max_size:
            raise UsageError(f"a fleet's sizes are 1 <= min_size <= size={size} <= max_size")
        if parallel_starts < 1 or (sessions_per_server is not None and sessions_per_server < 1):
            raise UsageError("parallel_starts= and sessions_per_server= are at least 1")
        self._provider = copy.copy(provider) if isinstance(provider, Provider) else provider
        self._size = size
        self._spec = spec
        self._sessions_per_server = sessions_per_server
        self._parallel_starts = parallel_starts
        self._health = health or HealthRules()
        self._breaker = breaker or BreakerRules()
        self._drain_timeout = drain_timeout
        self._progress = progress
        self._asked_spec: ServerSpec | None = None  # what the first environment asked for
        self._users = 0
        self._is_ours_to_stop = False  # the first environment started it
        self._is_stopped = False
        self._starting = threading.Lock()
        self._lock = threading.Lock()  # over the fields
        self._pid = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        provider = copy.copy(self._provider) if isinstance(self._provider, Provider) else self._provider
        options = {
            "spec": self._spec,
            "sessions_per_server": self._sessions_per_server,
            "min_size": self._rules.min_size,
            "max_size": self._rules.max_size,
            "parallel_starts": self._parallel_starts,
            "health": self._health,
            "breaker": self._breaker,
            "scale_up_after": self._rules.up_after,
            "scale_down_after": self._rules.down_after,
            "drain_timeout": self._drain_timeout,
            "progress": self._progress,
        }
        return _configured, (provider, self._size, options)

    # --- life ------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the servers, and return when ``min_size`` of them are up. Does nothing if that was done.

        Raises:
            StartupError: They do not come up; names each server's reason. Nothing is left.
            ClosedError: The fleet was stopped.
        """
        with self._starting:
            self._start(None)
        return self

    def stop(self) -> None:
        """Stop every server, and return when they are gone. Works in every state, and any number of times."""
        if os.getpid() != self._pid:
            return  # a forked child: the servers are the parent's
        with self._lock:
            self._is_stopped = True
            supervisor = self._supervisor
        if supervisor is not None:
            supervisor.close()

    def _start(self, asked: ServerSpec | None) -> None:
        """Start, if need be; under `_starting`."""
        with self._lock:
            if self._is_stopped:
                raise ClosedError("this fleet was stopped: make a new one, or a copy of it")
            if os.getpid() != self._pid:
                raise UsageError("this fleet belongs to the parent of this forked process; make a new one")
            spec = self._choose_spec(asked)
            if self._supervisor is not None:
                return
            machine = FleetMachine(
                spec.name,
                self._size,
                sessions_per_server=self._sessions_per_server,
                elasticity=self._rules,
                health=self._health,
                breaker=self._breaker,
                parallel_starts=self._parallel_starts,
                drain_timeout=self._drain_timeout,
            )
            self._asked_spec = asked
            supervisor = Supervisor(machine, self._make, spec, health_timeout=self._health.timeout)
            self._supervisor = supervisor
        try:
            self._wait_for_servers(supervisor, spec.name)
        except BaseException:
            self.stop()
            raise

    def _choose_spec(self, asked: ServerSpec | None) -> ServerSpec:
        started_for = self._asked_spec
        if self._spec is None and started_for is not None and asked is not None and asked != started_for:
            raise UsageError(
                "this fleet runs another environment's servers: give each environment a fleet of its own"
            )
        spec = self._spec or started_for or asked or ServerSpec()
        environ = dict(spec.environ)
        if self._sessions_per_server is not None:
            environ[_CAPACITY_VARIABLE] = str(self._sessions_per_server)
        return ServerSpec(spec.app, spec.image, environ, spec.name)

    def _wait_for_servers(self, supervisor: Supervisor, name: str) -> None:
        with showing(name, self._size, self._progress) as show:
            ready = -1
            reasons: list[str] | None = None

            def has_news(machine: FleetMachine) -> bool:
                nonlocal reasons
                reasons = machine.hopeless
                return machine.ready != ready or reasons is not None

            while ready < self._rules.min_size:
                supervisor.wait(has_news)
                if reasons is not None:
                    raise StartupError(f"the fleet of {name} did not start", "\n".join(reasons))
                ready = supervisor.ready
                show(ready)

    def _make(self) -> Provider:
        return (
            copy.copy(self._provider) if isinstance(self._provider, Provider) else as_provider(self._provider)
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        try:
            return await asyncio.to_thread(self.start)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.to_thread(self.stop))
            raise

    async def __aexit__(self, *error: object) -> None:
        await asyncio.shield(asyncio.to_thread(self.stop))

    def __del__(self) -> None:
        supervisor = self._supervisor
        if supervisor is not None and not self._is_stopped and os.getpid() == self._pid:
            warnings.warn(f"unclosed {self!r}: use `with`, or call stop()", ResourceWarning, stacklevel=1)
            supervisor.close_soon()

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "not started" if self._supervisor is None else "running"
        return f"<Fleet of {self._size} servers, {state}>"

    # --- environments ----------------------------------------------------------------------------------

    def lease(self, spec: ServerSpec | None = None) -> None:
        """Use the fleet until `release`; the first to do so starts it if nobody has.

        Args:
            spec: What to run, where the fleet was not told.

        Raises:
            StartupError: As `start`.
            UsageError: It runs something else.
        """
        if spec is not None and spec.app is None and spec.image is None:
            spec = None  # whatever it runs
        with self._starting:
            is_first = self._supervisor is None
            self._start(spec)
            with self._lock:
                self._is_ours_to_stop |= is_first
                self._users += 1

    def release(self) -> None:
        """End a `lease`; the last one stops the fleet, unless it was started before the first."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0 and self._is_ours_to_stop
        if is_last:
            self.stop()

    def require_room(self, sessions: int) -> None:
        """Refuse what can never have its place here, rather than let it wait.

        Raises:
            UsageError: So many sessions do not fit, even if the fleet is as large as it may become.
        """
        per_server = self._sessions_per_server
        largest = max(self._rules.max_size, self._running().status().target)
        if per_server is not None and sessions > largest * per_server:
            raise UsageError(
                f"{sessions} sessions do not fit into {largest} servers of {per_server} each: give the fleet "
                "another size=, max_size= or sessions_per_server="
            )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The servers that take sessions now."""
        return self._running().endpoints

    def attach(self, listener: RosterListener) -> None:
        """Tell a listener of the servers, now and whenever that changes, in order."""
        self._running().attach(listener)

    def detach(self, listener: RosterListener) -> None:
        """Tell it no more."""
        if self._supervisor is not None:
            self._supervisor.detach(listener)

    # --- care ------------------------------------------------------------------------------------------

    def status(self) -> list[ServerStatus]:
        """Tell of each server; of none before the start and after the end."""
        return [] if self._supervisor is None else list(self._supervisor.status().servers)

    def overview(self) -> FleetStatus:
        """Tell of the whole fleet what `status_file.read_fleets` tells other processes."""
        return self._running().status()

    def drain(self, server: str, timeout: float | None = None) -> None:
        """Let a server finish its sessions and stop; another takes its place. Returns at once.

        A lane leaves it at its next ``reset``.

        Args:
            server: Its name in `status`.
            timeout: Seconds its sessions get; by default the fleet's ``drain_timeout``. Then they are lost.

        Raises:
            UsageError: There is none of that name.
        """
        self._running().tell(lambda machine, now: machine.drain(now, server, timeout))

    def resize(self, size: int) -> None:
        """Have so many servers from now on; those in excess are drained. Returns at once."""
        if size < 1:
            raise UsageError(f"resize({size}): a fleet has at least one server; stop() ends it")
        self._running().tell(lambda machine, _: machine.resize(size))

    def _running(self) -> Supervisor:
        if self._supervisor is None:
            raise UsageError("this fleet was not started: use `with`, or call start()")
        return self._supervisor


def _configured(
    provider: Provider | Callable[[], Provider | OpenEnvContainerProvider], size: int, options: dict[str, Any]
) -> Fleet:
    return Fleet(provider, size, **options)
