"""The thread that runs a fleet: carries out what `FleetMachine` decides, and reports what came of it.

The thread itself never blocks on a server: what does is done by `Jobs`, whose reports come to its inbox.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from openenv_gym.client.fleet.commands import Command, Stop
from openenv_gym.client.fleet.jobs import Jobs, Report
from openenv_gym.client.fleet.machine import FleetMachine
from openenv_gym.client.fleet.status import FleetStatus
from openenv_gym.client.fleet.status_file import StatusFile
from openenv_gym.client.roster_view import RosterListener, RosterView
from openenv_gym.errors import ClosedError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider

logger = logging.getLogger(__name__)

_TICK = 0.25  # seconds between ticks when nothing happens

_live: weakref.WeakSet[Supervisor] = weakref.WeakSet()


class Supervisor:
    """A fleet at work, from construction to `close`. Thread-safe.

    Args:
        machine: Decides.
        make: Makes a provider; called once a server.
        spec: What they start, but for its name.
        health_timeout: Seconds an answer to ``GET /health`` may take.
        clock: Tells the time in seconds.
    """

    def __init__(
        self,
        machine: FleetMachine,
        make: Callable[[], Provider],
        spec: ServerSpec,
        *,
        health_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine = machine
        self._spec = spec
        self._clock = clock
        self._epoch = time.time() - clock()  # what to add to the clock for the time of day
        self._began = time.time()
        self._inbox: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._jobs = Jobs(make, spec, health_timeout=health_timeout, report=self._inbox.put)
        self._listeners: list[RosterListener] = []
        # Over the machine, the listeners and what they were told. Reentrant: the garbage collector may find a
        # forgotten pool in the middle of a turn, and that ends its subscription.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._view = RosterView()
        self._is_closing = False
        self._file = StatusFile()
        self._file_works = True
        self._thread = threading.Thread(target=self._main, name=f"openenv-gym-fleet-{spec.name}", daemon=True)
        _live.add(self)
        atexit.unregister(_close_all)  # again, to be first: before reapers and the I/O thread do their last
        atexit.register(_close_all)
        self._thread.start()

    # --- for other threads -----------------------------------------------------------------------------

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The servers that take sessions now."""
        with self._lock:
            return tuple(one.endpoint for one in self._machine.view.servers if not one.is_draining)

    @property
    def ready(self) -> int:
        """How many servers take sessions."""
        with self._lock:
            return self._machine.ready

    def status(self) -> FleetStatus:
        """Tell how the fleet is."""
        with self._lock:
            self._observe(self._clock())
            return self._status()

    def wait(self, holds: Callable[[FleetMachine], bool]) -> None:
        """Wait until something holds of the machine.

        Raises:
            ClosedError: The fleet was stopped meanwhile.
        """
        with self._changed:
            while not holds(self._machine):
                if self._is_closing:
                    raise ClosedError("the fleet was stopped meanwhile")
                self._changed.wait()

    def tell(self, order: Callable[[FleetMachine, float], None]) -> None:
        """Ask something of the machine, and have it acted upon at once."""
        with self._lock:
            order(self._machine, self._clock())
        self._inbox.put(None)

    def attach(self, listener: RosterListener) -> None:
        """Tell a listener of the servers, now and at every change, in order."""
        with self._lock:
            self._listeners.append(listener)
            listener.update(self._view)

    def detach(self, listener: RosterListener) -> None:
        """Tell it no more; does nothing if it was not told anything."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def close(self) -> None:
        """Stop every server, and return when all are gone. May be repeated and overlap."""
        self.close_soon()
        self._thread.join()

    def close_soon(self) -> None:
        """Begin to stop every server."""
        with self._changed:
            self._is_closing = self._jobs.is_ending = True
            self._changed.notify_all()
        self._inbox.put(None)

    # --- the thread ------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._is_closing:
                self._turn()
        except Exception:
            logger.exception("a fleet's supervision failed; its servers are stopped")
        try:
            self._shut()
        finally:
            self._file.remove()
            _live.discard(self)

    def _turn(self) -> None:
        """Take in what happened, decide, act, and wait for what happens next."""
        with self._lock:
            now = self._clock()
            self._take_reports(now)
            self._observe(now)
            self._machine.tick(now)
            commands = self._conclude()
        for command in commands:
            self._jobs.carry_out(command)
        self._write_file()
        self._wait_for_report(_TICK)

    def _observe(self, now: float) -> None:
        self._machine.observe(now, [listener.census() for listener in list(self._listeners)])

    def _wait_for_report(self, timeout: float) -> None:
        try:
            report = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return
        if report is not None:
            with self._lock:
                report(self._machine, self._clock())

    def _take_reports(self, now: float) -> None:
        while True:
            try:
                report = self._inbox.get_nowait()
            except queue.Empty:
                return
            if report is not None:
                report(self._machine, now)

    def _conclude(self) -> list[Command]:
        """Tell those who wait or listen what has changed; return what is to be done."""
        view = self._machine.view
        if view != self._view:
            self._log_changes(view)
            self._view = view
            for listener in list(self._listeners):
                listener.update(view)
        self._changed.notify_all()
        return self._machine.take_commands()

    def _shut(self) -> None:
        with self._lock:
            self._is_closing = self._jobs.is_ending = True
            self._machine.shut(self._clock())
            commands = self._conclude()
        for command in commands:
            if isinstance(command, Stop):
                self._jobs.carry_out(command)
        while not self._jobs.are_done:
            self._wait_for_report(_TICK)

    # --- what is told ----------------------------------------------------------------------------------

    def _log_changes(self, view: RosterView) -> None:
        for endpoint, cause in view.causes.items():
            if endpoint not in self._view.causes:
                logger.log(logging.INFO if self._is_closing else logging.WARNING, "%s", cause)
        if view.trouble and view.trouble != self._view.trouble:
            logger.warning("%s", view.trouble)

    def _status(self) -> FleetStatus:
        machine = self._machine
        return FleetStatus(
            name=self._spec.name,
            pid=os.getpid(),
            since=self._began,
            target=machine.target,
            waiting=machine.waiting,
            trouble=machine.trouble,
            servers=machine.status(self._epoch),
        )

    def _write_file(self) -> None:
        if not self._file_works:
            return
        try:
            self._file.write(self.status())
        except OSError as error:
            self._file_works = False
            logger.info("other processes cannot see this fleet: %s", error)


def _close_all() -> None:
    """At exit: ask all at once, then wait for each."""
    supervisors = list(_live)
    for supervisor in supervisors:
        supervisor.close_soon()
    for supervisor in supervisors:
        supervisor.close()


os.register_at_fork(after_in_child=_live.clear)  # a parent's servers are the parent's to stop
