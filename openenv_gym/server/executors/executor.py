"""What every executor does: open one environment, run one call at a time on it, close it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from openenv_gym.errors import EnvironmentFailedError, NotSupportedError
from openenv_gym.server.definition import EnvironmentDefinition
from openenv_gym.server.executors.runaways import Runaways
from openenv_gym.server.jobs import Answer, HostReply, Job, Question, Restore, Snapshot
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op, Reason, Reply, Request, RestoredReply

CLOSE_TIMEOUT = 10.0  # seconds

Done = Callable[[HostReply | Exception], None]
"""Gets what a job ended with; an exception is our own failure, for the environment's are replies."""


class Executor(ABC):
    """One session's environment, running wherever the subclass puts it.

    All methods belong to one event loop, and calls to one executor never overlap, except that `close` may
    come at any time. A call that is cancelled or overruns its deadline leaves the executor unusable: nobody
    knows how far the environment got.

    Args:
        definition: The environment.
        runaways: Where calls that cannot be stopped are counted.

    Attributes:
        immediate: Whether calls end before the event loop does anything else; then `handle_now` can be used.
    """

    immediate: ClassVar[bool] = False

    def __init__(self, definition: EnvironmentDefinition, runaways: Runaways) -> None:
        self.definition = definition
        self.runaways = runaways
        self._usable = False
        self._closed = False

    @property
    def usable(self) -> bool:
        """Whether another call makes sense; once false after `open`, only `close` remains."""
        return self._usable

    async def open(self, timeout: float | None = None) -> None:
        """Make the environment.

        Args:
            timeout: Seconds it may take.

        Raises:
            EnvironmentFailedError: It could not be made; ``code`` and ``details`` belong into the error
                reply. The executor must still be closed.
        """
        failure = await self._open(timeout)
        if failure is not None:
            raise EnvironmentFailedError(failure.message, failure.code, failure.details)
        self._usable = not self._closed

    async def handle(self, request: Request, timeout: float | None = None) -> Reply:
        """Run one request; every failure is an error reply.

        Args:
            request: ``reset``, ``step``, ``state`` or ``mcp``.
            timeout: Seconds until the session is given up. ``step`` is told it as ``timeout_s``, and has a
                little longer (`patience`) to say that it kept to it.
        """
        reply = await self._run(request, timeout)
        assert not isinstance(reply, Answer | Snapshot)
        return reply

    @abstractmethod
    def start(self, job: Job, timeout: float | None, done: Done) -> None:
        """Do the same as `handle` and `ask` without making the caller a coroutine.

        Args:
            job: What to run.
            timeout: See `handle`.
            done: Gets the reply, maybe before this method returns.
        """

    def handle_now(self, request: Request, timeout: float | None = None) -> Reply:
        """Do the same as `handle` without a coroutine; only where calls are `immediate`."""
        raise NotImplementedError(f"{type(self).__name__} is not immediate: await handle()")

    async def snapshot(self, timeout: float | None = None) -> Snapshot | ErrorReply:
        """Have the environment copy its state; see `handle`."""
        reply = await self._run(Request(Op.SNAPSHOT), timeout)
        assert isinstance(reply, Snapshot | ErrorReply)
        return reply

    async def restore(self, state: Any, timeout: float | None = None) -> RestoredReply | ErrorReply:
        """Have the environment take on the state of a `snapshot`, of this executor or one like it."""
        reply = await self._run(Restore(state), timeout)
        assert isinstance(reply, RestoredReply | ErrorReply)
        return reply

    async def ask(self, method: str, timeout: float | None = None, **arguments: Any) -> Any:
        """Call one of the environment's descriptive methods: `host.QUESTIONS` lists them.

        Args:
            method: Its name, for example ``"get_metadata"`` or ``"list_splits"``.
            timeout: Seconds until the session is given up.
            **arguments: Its keyword arguments.

        Returns:
            What it returned, as JSON-able values.

        Raises:
            NotSupportedError: The environment has no such method.
            EnvironmentFailedError: It raised; ``details["type"]`` names the exception's class.
        """
        reply = await self._run(Question(method, arguments), timeout)
        if isinstance(reply, Answer):
            return reply.value
        assert isinstance(reply, ErrorReply)
        if reply.details.get("missing"):
            raise NotSupportedError(reply.message)
        raise EnvironmentFailedError(reply.message, reply.code, reply.details)

    @abstractmethod
    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Close the environment where it ran, and free what the executor holds. Never raises; idempotent.

        Args:
            timeout: Seconds to wait for the environment's own ``close()`` before it is left behind.
        """

    @abstractmethod
    async def _open(self, timeout: float | None) -> ErrorReply | None:
        """Make the environment; a returned error says why that failed."""

    @abstractmethod
    async def _run(self, job: Job, timeout: float | None) -> HostReply:
        """Run one job; never raises, but for the caller's own cancellation."""

    def patience(self, job: Job, timeout: float | None) -> float | None:
        """Seconds to wait for a job's reply: up to a second longer than ``timeout`` where a step is told it.

        Otherwise an environment that ends its work at ``timeout_s`` exactly could never say so in time.
        """
        is_step = isinstance(job, Request) and job.op in (Op.STEP, Op.MCP)
        knows = is_step and self.definition.methods.step_takes_timeout
        return timeout + min(1.0, timeout / 10) if knows and timeout is not None else timeout


def describe(job: Job) -> str:
    """Name a job for messages: ``step()``."""
    return f"{job.op if isinstance(job, Request) else job.method}()"


def refuse_closed(job: Job) -> ErrorReply:
    """Build the reply to a job on an executor that is not usable."""
    message = f"{describe(job)} on a session that is closed or was given up: open a new one"
    return ErrorReply(ErrorCode.SESSION_ERROR, message, {"reason": Reason.CLOSED.value})


def overdue(job: Job, timeout: float | None) -> ErrorReply:
    """Build the reply to a job that overran its deadline."""
    message = f"{describe(job)} took longer than its {timeout:g} s: the session was given up"
    return ErrorReply(ErrorCode.EXECUTION_ERROR, message, {"reason": Reason.DEADLINE.value})


def open_overdue(name: str, timeout: float | None) -> ErrorReply:
    """Build the failure of an environment whose construction overran its deadline."""
    message = f"{name} could not be made within {timeout:g} s"
    return ErrorReply(
        ErrorCode.FACTORY_ERROR, message, {"reason": Reason.DEADLINE.value, "factory_name": name}
    )
