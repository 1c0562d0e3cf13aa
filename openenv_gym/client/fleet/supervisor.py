"""The thread that runs a fleet: carries out what `FleetMachine` decides, and reports what came of it.

The thread itself never blocks on a server. Starts, stops and looks, which do, run in threads of their own and
leave their results in its inbox; so one server that cannot be stopped, or an engine that does not answer,
holds up nothing but itself.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from openenv_gym.client.fleet.machine import Command, End, FleetMachine, Look, Start, Stop
from openenv_gym.client.fleet.status import FleetStatus
from openenv_gym.client.fleet.status_file import StatusFile
from openenv_gym.client.roster_view import RosterListener, RosterView
from openenv_gym.errors import ClosedError
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.readiness import probe

logger = logging.getLogger(__name__)

_TICK = 0.25  # seconds between ticks when nothing happens
_LONGEST_STOP_PAUSE = 5.0  # seconds between attempts to stop a server
_LAST_ATTEMPTS = 3  # to stop a server, once the fleet is being stopped
_LAST_WORDS = 300  # characters of its log's last line that are kept with a server's end

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
        self._make = make
        self._spec = spec
        self._health_timeout = health_timeout
        self._clock = clock
        self._epoch = time.time() - clock()  # what to add to the clock for the time of day
        self._began = time.time()
        self._providers: dict[int, Provider] = {}
        self._inbox: queue.SimpleQueue[Callable[[float], None] | None] = queue.SimpleQueue()
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

    def wait(self, holds: Callable[[FleetMachine], bool], timeout: float | None = None) -> bool:
        """Wait until something holds of the machine; return whether it does.

        Raises:
            ClosedError: The fleet was stopped meanwhile.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not holds(self._machine):
                if self._is_closing:
                    raise ClosedError("the fleet was stopped meanwhile")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
        return True

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
            self._is_closing = True
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
            self._carry_out(command)
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
                report(self._clock())

    def _take_reports(self, now: float) -> None:
        while True:
            try:
                report = self._inbox.get_nowait()
            except queue.Empty:
                return
            if report is not None:
                report(now)

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
            self._is_closing = True
            self._machine.shut(self._clock())
            commands = self._conclude()
        for command in commands:
            if isinstance(command, Stop):
                self._carry_out(command)
        while self._providers:
            self._wait_for_report(_TICK)

    # --- servers ---------------------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        match command:
            case Start(run, name):
                try:
                    self._providers[run] = self._make()
                except Exception as error:
                    logger.exception("no provider for %s could be made", name)
                    self._report_failure(run, name, error)
                else:
                    self._in_background(self._start, command)
            case Stop(run) | Look(run) if run in self._providers:
                self._in_background(self._stop if isinstance(command, Stop) else self._look, command)

    def _in_background(self, job: Callable[[Any, Provider], None], command: Command) -> None:
        provider = self._providers[command.run]
        try:
            threading.Thread(
                target=job, args=(command, provider), name="openenv-gym-fleet-job", daemon=True
            ).start()
        except RuntimeError:
            job(command, provider)  # the interpreter is ending, and starts no threads any more

    def _start(self, command: Start, provider: Provider) -> None:
        run, name = command.run, command.name
        try:
            endpoint = provider.start(ServerSpec(self._spec.app, self._spec.image, self._spec.environ, name))
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, the fleet goes on
            self._report_failure(run, name, error)
        else:
            self._inbox.put(lambda now: self._machine.started(now, run, endpoint))

    def _report_failure(self, run: int, name: str, error: Exception) -> None:
        logger.warning("%s could not be started: %s", name, error)
        text = f"{type(error).__name__}: {error}"
        self._inbox.put(lambda now: self._machine.start_failed(now, run, text))

    def _stop(self, command: Stop, provider: Provider) -> None:
        for pause in self._stop_pauses():
            try:
                provider.kill() if command.by_force else provider.stop()
                break
            except Exception as error:  # noqa: BLE001 - it is tried again, by whatever it failed
                logger.warning("a server of the fleet could not be stopped: %s", error)
            time.sleep(pause)
        else:
            logger.error("a server of the fleet is left behind: it could not be stopped")

        def forget(_: float) -> None:
            self._providers.pop(command.run, None)

        self._inbox.put(forget)

    def _stop_pauses(self) -> Iterator[float]:
        """Pauses between attempts to stop a server: an engine that is restarting can do so later.

        When the fleet itself is stopped, a few attempts are left.
        """
        left = _LAST_ATTEMPTS
        for attempt in itertools.count():
            if self._is_closing:
                left -= 1
            yield 0.0 if left == 0 else min(_LONGEST_STOP_PAUSE, 0.5 * 2.0 ** min(attempt, 10))
            if left == 0:
                return

    def _look(self, command: Look, provider: Provider) -> None:
        run, asks = command.run, command.asks
        problem = probe(command.endpoint, self._health_timeout) if asks else None
        end = None
        if not asks or problem is not None:
            try:
                state = provider.state()
                if state.status == "ended":
                    end = End(state.detail or "ended", _last_line(provider.logs()))
                elif state.status == "paused":
                    problem = f"it {state.detail or 'is paused'}"
            except Exception as error:  # noqa: BLE001 - whatever a provider raises, the fleet goes on
                # Its answers decide: an engine that cannot be asked for a while costs no server.
                logger.info("it cannot be told whether a server of the fleet runs: %s", error)
        self._inbox.put(lambda now: self._machine.looked(now, run, end, problem, asked=asks))

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


def _last_line(log: str) -> str:
    """Of a traceback that is the exception."""
    return log.rstrip().rpartition("\n")[2][-_LAST_WORDS:]


def _close_all() -> None:
    """At exit: ask all at once, then wait for each."""
    supervisors = list(_live)
    for supervisor in supervisors:
        supervisor.close_soon()
    for supervisor in supervisors:
        supervisor.close()


os.register_at_fork(after_in_child=_live.clear)  # a parent's servers are the parent's to stop
