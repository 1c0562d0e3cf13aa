"""Carries out what a fleet's machine commands, each command in a thread of its own.

Starts, stops and looks block. So one server that cannot be stopped, or an engine that does not answer, holds
up nothing but itself.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from openenv_gym.client.fleet.commands import Command, End, Look, Start, Stop
from openenv_gym.client.fleet.machine import FleetMachine
from openenv_gym.providers.endpoint import ServerSpec
from openenv_gym.providers.provider import Provider
from openenv_gym.providers.readiness import probe

logger = logging.getLogger(__name__)

_LONGEST_STOP_PAUSE = 5.0  # seconds between attempts to stop a server
_LAST_ATTEMPTS = 3  # to stop a server, once the fleet is being stopped
_LAST_WORDS = 300  # characters of its log's last line that are kept with a server's end

Report = Callable[[FleetMachine, float], None]
"""Tells a machine what came of a command, and when."""


class Jobs:
    """A fleet's providers, and what is being done with them.

    Args:
        make: Makes a provider; called once a server.
        spec: What they start, but for its name.
        health_timeout: Seconds an answer to ``GET /health`` may take.
        report: Takes reports, from any thread, and has them made soon by the thread that calls `carry_out`.

    Attributes:
        is_ending: The fleet is being stopped: what cannot be stopped is left after a few attempts.
    """

    def __init__(
        self,
        make: Callable[[], Provider],
        spec: ServerSpec,
        *,
        health_timeout: float,
        report: Callable[[Report], None],
    ) -> None:
        self.is_ending = False
        self._make = make
        self._spec = spec
        self._health_timeout = health_timeout
        self._report = report
        self._providers: dict[int, Provider] = {}

    @property
    def are_done(self) -> bool:
        """Whether every server is gone."""
        return not self._providers

    def carry_out(self, command: Command) -> None:
        """Begin; returns at once."""
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
            self._report(lambda machine, now: machine.started(now, run, endpoint))

    def _report_failure(self, run: int, name: str, error: Exception) -> None:
        logger.log(
            logging.INFO if self.is_ending else logging.WARNING, "%s could not be started: %s", name, error
        )
        text = f"{type(error).__name__}: {error}"
        self._report(lambda machine, now: machine.start_failed(now, run, text))

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
        self._report(lambda *_: self._forget(command.run))

    def _forget(self, run: int) -> None:
        self._providers.pop(run, None)

    def _stop_pauses(self) -> Iterator[float]:
        """Pauses between attempts to stop a server: an engine that is restarting can do so later.

        When the fleet itself is stopped, a few attempts are left.
        """
        left = _LAST_ATTEMPTS
        for attempt in itertools.count():
            if self.is_ending:
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
                    end = End(state.detail or "ended", _last_words(provider))
                elif state.status == "paused":
                    problem = f"it {state.detail or 'is paused'}"
            except Exception as error:  # noqa: BLE001 - whatever a provider raises, the fleet goes on
                # Its answers decide: an engine that cannot be asked for a while costs no server.
                logger.info("it cannot be told whether a server of the fleet runs: %s", error)
        self._report(lambda machine, now: machine.looked(now, run, end, problem, asked=asks))


def _last_words(provider: Provider) -> str:
    """The last line of a server's log: of a traceback that is the exception."""
    try:
        return provider.logs().rstrip().rpartition("\n")[2][-_LAST_WORDS:]
    except Exception as error:  # noqa: BLE001 - it has ended all the same
        return f"(its log cannot be read: {error})"
