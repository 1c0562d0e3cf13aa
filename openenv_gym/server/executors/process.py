"""Execution ``process``: a worker process a session, which can crash alone and can be killed."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.executors.executor import (
    CLOSE_TIMEOUT,
    Done,
    Executor,
    describe,
    open_overdue,
    overdue,
    refuse_closed,
)
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.executors.spare_workers import SpareWorkers, WorkerFailedError
from openenv_gym.server.executors.worker_process import WorkerGoneError, WorkerProcess
from openenv_gym.server.jobs import HostReply, Job
from openenv_gym.server.worker_messages import job_message, read_reply
from openenv_gym.wire import pipe
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Reason

logger = logging.getLogger(__name__)

OPEN_TIMEOUT = 120.0
"""Seconds a worker may take to start and make its environment where the caller gives no limit."""


class ProcessExecutor(Executor):
    """Runs an environment in a process of its own; what overruns its deadline is killed, never a runaway."""

    def __init__(
        self, definition: EnvironmentDefinition, runaways: Runaways, workers: SpareWorkers | None = None
    ) -> None:
        super().__init__(definition, runaways)
        self._workers = SpareWorkers(definition) if workers is None else workers
        self._worker: WorkerProcess | None = None
        self._mid_call = False
        self._task: asyncio.Task[HostReply] | None = None  # held, for the loop does not

    async def _open(self, timeout: float | None) -> ErrorReply | None:
        timeout = OPEN_TIMEOUT if timeout is None else timeout
        try:
            async with asyncio.timeout(timeout):
                self._worker = await self._workers.take()
                if self._closed:  # meanwhile: `close` has found no worker
                    await self._worker.kill()
                answer = await self._call(self._worker, pipe.encode(["open"]), None)
            if answer == ["opened"]:
                return None
            failure = read_reply(answer)
        except TimeoutError:
            return open_overdue(self.definition.name, timeout)
        except WorkerFailedError as error:
            return error.reply
        except (WorkerGoneError, pipe.FrameError) as error:
            return self._not_made(str(error))
        except OSError as error:
            return self._not_made(f"no worker process could be started: {error}")
        assert isinstance(failure, ErrorReply)
        return failure

    def start(self, job: Job, timeout: float | None, done: Done) -> None:
        """See `Executor.start`."""
        self._task = asyncio.get_running_loop().create_task(self._run(job, timeout))
        self._task.add_done_callback(partial(_report, done))

    async def _run(self, job: Job, timeout: float | None) -> HostReply:
        worker = self._worker
        if worker is None or not self._usable:
            return refuse_closed(job)
        try:
            frame = pipe.encode(job_message(job, timeout))
        except (TypeError, ValueError) as error:
            text = f"{describe(job)} could not be sent to the environment: {error}"
            return ErrorReply(ErrorCode.VALIDATION_ERROR, text, {"errors": []})
        try:
            return read_reply(await self._call(worker, frame, self.patience(job, timeout)), job)
        except TimeoutError:
            await worker.kill()
            return overdue(job, timeout)
        except (WorkerGoneError, pipe.FrameError) as error:
            self._usable = False
            await worker.kill()
            if self._closed:
                return refuse_closed(job)
            text = f"{self.definition.name} crashed in {describe(job)}: {error}"
            logger.error("%s", text)
            return ErrorReply(ErrorCode.EXECUTION_ERROR, text, {"reason": Reason.CRASHED.value})

    async def _call(self, worker: WorkerProcess, frame: bytes, timeout: float | None) -> Any:
        """Ask the worker; unless it answers it is unusable: its reply might still come, to the wrong call."""
        usable, self._usable = self._usable, False
        self._mid_call = True
        async with asyncio.timeout(timeout):
            answer = await worker.call(frame)
        self._mid_call = False
        self._usable = usable and not self._closed
        return answer

    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """See `Executor.close`; what is left of the worker after ``timeout`` is killed."""
        self._usable, self._closed = False, True
        if self._worker is None:
            return
        if self._mid_call:
            await self._worker.kill()  # it is not listening
        else:
            await self._worker.close(timeout)

    def _not_made(self, why: str) -> ErrorReply:
        name = self.definition.name
        logger.error("%s could not be made: %s", name, why)
        return ErrorReply(ErrorCode.FACTORY_ERROR, f"{name} could not be made: {why}", {"factory_name": name})


def _report(done: Done, task: asyncio.Task[HostReply]) -> None:
    if task.cancelled():
        return  # the loop is being shut down
    error = task.exception()
    assert error is None or isinstance(error, Exception)
    done(task.result() if error is None else error)
