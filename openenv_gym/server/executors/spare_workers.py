"""Worker processes that have imported their environment before a session asks for one."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import asdict

from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.executors.worker_process import WorkerGoneError, WorkerProcess
from openenv_gym.server.worker_messages import read_reply
from openenv_gym.wire import pipe
from openenv_gym.wire.messages import ErrorReply

logger = logging.getLogger(__name__)

PREPARE_TIMEOUT = 120.0
"""Seconds a worker may take to start and to import its environment."""


class WorkerFailedError(Exception):
    """A worker could not import its environment.

    Attributes:
        reply: What its session is to be told.
    """

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply


class SpareWorkers:
    """Keeps a few prepared workers, for starting an interpreter and importing takes most of an opening.

    All methods belong to the server's event loop.

    Args:
        definition: The environment.
        count: How many to keep while it is open; else `take` starts each when it is asked for.
    """

    def __init__(self, definition: EnvironmentDefinition, count: int = 0) -> None:
        self._definition = definition
        self._count = count
        self._ready: list[WorkerProcess] = []
        self._filling: asyncio.Task[None] | None = None
        self._keeps = False

    @property
    def ready(self) -> int:
        """How many can be taken at once."""
        return len(self._ready)

    def open(self) -> None:
        """Keep workers ready from now on; also again after `close`."""
        self._keeps = True
        self._refill()

    async def take(self) -> WorkerProcess:
        """Return a prepared worker, which is the caller's from now on, and begin to start its successor.

        Raises:
            WorkerFailedError: It could not import the environment.
            WorkerGoneError: It died.
            OSError: No process could be started.
        """
        try:
            while self._ready:
                worker = self._ready.pop()
                if worker.alive:
                    return worker
                await worker.kill()
            return await self._prepared()
        finally:
            self._refill()

    async def close(self) -> None:
        """End the workers that nobody has taken. Idempotent."""
        self._keeps = False
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])
        ready, self._ready = self._ready, []
        await asyncio.gather(*(worker.kill() for worker in ready))

    def _refill(self) -> None:
        if self._keeps and self._filling is None and len(self._ready) < self._count:
            self._filling = asyncio.get_running_loop().create_task(self._fill())

    async def _fill(self) -> None:
        try:
            while len(self._ready) < self._count:
                async with asyncio.timeout(PREPARE_TIMEOUT):
                    worker = await self._prepared()
                self._ready.append(worker)
        except (WorkerFailedError, WorkerGoneError, OSError) as error:  # TimeoutError is one of OSError's
            # The next session tries again, and tells its client.
            logger.warning("no worker for %s could be started ahead: %s", self._definition.name, error)
        finally:
            self._filling = None

    async def _prepared(self) -> WorkerProcess:
        recipe = self._definition.recipe
        assert recipe is not None, "define() sets it for execution 'process'"
        worker = await WorkerProcess.spawn()
        try:
            frame = pipe.encode(["prepare", asdict(recipe), os.environ.get("PYTHONPATH")])
            answer = await worker.call(frame)
            if answer != ["prepared"]:
                failure = read_reply(answer)
                assert isinstance(failure, ErrorReply)
                raise WorkerFailedError(failure)
        except pipe.FrameError as error:
            await worker.kill()
            raise WorkerGoneError(str(error)) from None
        except BaseException:
            await worker.kill()
            raise
        return worker
