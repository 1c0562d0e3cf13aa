"""Execution ``inline``: calls run on the server's own event loop, at the price of one function call."""

from __future__ import annotations

import logging
import time
from typing import cast

from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.executors.executor import CLOSE_TIMEOUT, Done, Executor, describe, refuse_closed
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.host import EnvironmentHost
from openenv_gym.server.jobs import HostReply, Job
from openenv_gym.wire.messages import ErrorReply, Reply, Request

logger = logging.getLogger(__name__)

SLOW_CALL = 0.1
"""Seconds of one call from which on it is logged: every session of the server waits that long."""


class InlineExecutor(Executor):
    """Runs a synchronous environment where it is called. No deadline can be enforced here.

    Args:
        definition: See `Executor`.
        runaways: See `Executor`.
        slow_call: Seconds from which on a call is logged, once a session.
    """

    immediate = True

    def __init__(
        self, definition: EnvironmentDefinition, runaways: Runaways, slow_call: float = SLOW_CALL
    ) -> None:
        super().__init__(definition, runaways)
        self._host = EnvironmentHost(definition)
        self._slow_call = slow_call
        self._warned = False

    async def _open(self, timeout: float | None) -> ErrorReply | None:
        return self._host.open()

    def handle_now(self, request: Request, timeout: float | None = None) -> Reply:
        """See `Executor.handle_now`."""
        return cast(Reply, self._run_now(request, timeout))  # an Answer is for questions

    def start(self, job: Job, timeout: float | None, done: Done) -> None:
        """See `Executor.start`."""
        done(self._run_now(job, timeout))

    async def _run(self, job: Job, timeout: float | None) -> HostReply:
        return self._run_now(job, timeout)

    def _run_now(self, job: Job, timeout: float | None) -> HostReply:
        if not self._usable:
            return refuse_closed(job)
        started = time.perf_counter()
        reply = self._host.handle(job, timeout)
        took = time.perf_counter() - started
        if took >= self._slow_call and not self._warned:
            self._warned = True
            logger.warning(
                "%s: %s blocked the server's event loop for %.3f s; declare another EXECUTION than 'inline'",
                self.definition.name,
                describe(job),
                took,
            )
        return reply

    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """See `Executor.close`; ``timeout`` cannot be enforced."""
        self._usable, self._closed = False, True
        self._host.close()
