"""One session: an environment behind its executor, and the state machine that guards it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from enum import StrEnum

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.server.executors import Executor
from openenv_gym.server.jobs import Answer, HostReply, Snapshot
from openenv_gym.server.snapshots import Kept, SnapshotShelf
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op, Reason, Reply, Request, SnapshotReply
from openenv_gym.wire.server_session import ServerSession, Stage

logger = logging.getLogger(__name__)


_CLOSED = Stage.CLOSED  # looked up once: every step asks

SNAPSHOT_OPS = (Op.SNAPSHOT, Op.RESTORE)
"""Calls that `Session.handle` alone knows: nobody makes them by the thousand."""


class SessionKind(StrEnum):
    """What a session was opened over. Only a WebSocket's ends by itself when its connection does."""

    WEBSOCKET = "websocket"
    MULTIPLEXED = (
        "openenv-gym.v1"  # one of many on a WebSocket, and held by `Multiplexer` between connections
    )
    HTTP = "http"
    MCP = "mcp"


DETACHED_KINDS = frozenset({SessionKind.HTTP, SessionKind.MCP})
"""Sessions that live without a connection."""


class Session:
    """One environment and everything a transport needs to drive it.

    Args:
        session_id: Its unguessable name; whoever knows it may use the session.
        kind: What it was opened over.
        executor: Where its environment runs.
        lenient: Let the environment judge a step before reset or after done.
        max_snapshots: How many snapshots it keeps.
        clock: Monotonic seconds.

    Attributes:
        ready: Whether its environment has been made.
        attached: Whether a WebSocket holds the session now.
        close_on_detach: Close as soon as that WebSocket lets go.
        closing: The task that closes the session, once it runs.
        last_activity: When its last call began or ended, by ``clock``.
        snapshots: The snapshots that can be restored here, and forked.
    """

    def __init__(
        self,
        session_id: str,
        kind: SessionKind,
        executor: Executor,
        *,
        lenient: bool,
        max_snapshots: int = 16,
        clock: Callable[[], float],
    ) -> None:
        self.id = session_id
        self.kind = kind
        self.executor = executor
        self.ready = False
        self.attached = kind in (SessionKind.WEBSOCKET, SessionKind.MULTIPLEXED)
        self.close_on_detach = kind is SessionKind.WEBSOCKET
        self.closing: asyncio.Task[None] | None = None
        self.snapshots = SnapshotShelf(max_snapshots)
        self._machine = ServerSession(lenient=lenient)
        self._clock = clock
        self._started: tuple[Op, Callable[[Session, Reply], None]] | None = None
        self.opened = self.last_activity = clock()

    @property
    def label(self) -> str:
        """A name fit for logs: says which session, gives nobody the session."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:10]

    @property
    def detached(self) -> bool:
        """Whether it lives without a connection: opened over HTTP or MCP, and held by no WebSocket."""
        return self.kind in DETACHED_KINDS and not self.attached

    @property
    def immediate(self) -> bool:
        """Whether its calls end before the event loop does anything else."""
        return self.executor.immediate

    @property
    def busy(self) -> bool:
        """Whether a call is running."""
        return self._machine.busy

    @property
    def ended(self) -> bool:
        """Whether no further call can succeed."""
        return self._machine.stage is _CLOSED or not self.executor.usable

    @property
    def step_count(self) -> int:
        """Steps answered in the current episode."""
        return self._machine.steps

    async def handle(self, request: Request, timeout: float) -> Reply:
        """Run one call, or say why it may not run now.

        Args:
            request: The call.
            timeout: Seconds after which the executor gives the call, and with it the session, up.
        """
        refusal = self._machine.begin(request.op)
        if refusal is not None:
            return refusal
        self.last_activity = self._clock()
        try:
            if request.op in SNAPSHOT_OPS:
                reply = await self._move(request, timeout)
            else:
                reply = await self.executor.handle(request, timeout)
        except Exception as error:  # ours: executors report the environment's own as replies
            logger.exception("session %s: the executor failed in %s", self.label, request.op)
            reply = _crashed(request.op, error)
        except BaseException:  # cancelled: nobody knows what the environment is doing now
            self.end()
            raise
        self._machine.finish(request.op, reply)
        self.last_activity = self._clock()
        return reply

    async def _move(self, request: Request, timeout: float) -> Reply:
        """Take a snapshot, or go back to one."""
        if request.op is Op.SNAPSHOT:
            taken = await self.executor.snapshot(timeout)
            if isinstance(taken, ErrorReply):
                return taken
            return SnapshotReply(self.snapshots.keep(Kept(taken.state, self._machine.place)))
        kept = self.snapshots.find(request.payload.get("snapshot"))
        if kept is None:
            return self.snapshots.missing(ErrorCode.VALIDATION_ERROR)
        return await self._put_back(kept, timeout)

    async def _put_back(self, kept: Kept, timeout: float) -> Reply:
        reply = await self.executor.restore(kept.state, timeout)
        if not isinstance(reply, ErrorReply):
            self._machine.put_back(kept.place)
        return reply

    async def begin_from(self, kept: Kept, timeout: float) -> None:
        """Begin as a fork: bring a fresh environment to where another session's was.

        Args:
            kept: The other session's snapshot.
            timeout: Seconds it may take.

        Raises:
            EnvironmentFailedError: It could not; ``code`` and ``details`` belong into the error reply.
        """
        reply = await self._put_back(kept, timeout)
        if isinstance(reply, ErrorReply):
            message = f"the fork failed: {reply.message}"
            raise EnvironmentFailedError(message, ErrorCode.FACTORY_ERROR, reply.details)

    def start(self, request: Request, timeout: float, done: Callable[[Session, Reply], None]) -> None:
        """Do the same as `handle` without making the caller a coroutine.

        Args:
            request: The call.
            timeout: See `handle`.
            done: Gets the session and the reply, maybe before this method returns.
        """
        refusal = self._machine.begin(request.op)
        if refusal is not None:
            done(self, refusal)
            return
        self.last_activity = self._clock()
        self._started = request.op, done
        self.executor.start(request, timeout, self._finish)

    def _finish(self, reply: HostReply | Exception) -> None:
        """Report what came of the call that was started."""
        assert self._started is not None
        assert not isinstance(reply, Answer | Snapshot)
        (op, done), self._started = self._started, None
        if isinstance(reply, Exception):
            logger.error("session %s: the executor failed in %s", self.label, op, exc_info=reply)
            reply = _crashed(op, reply)
        self._machine.finish(op, reply)
        self.last_activity = self._clock()
        done(self, reply)

    def handle_now(self, request: Request, timeout: float) -> Reply:
        """Do the same as `handle` at once, where calls are `immediate`."""
        refusal = self._machine.begin(request.op)
        if refusal is not None:
            return refusal
        try:
            reply = self.executor.handle_now(request, timeout)
        except Exception as error:  # as above
            logger.exception("session %s: the executor failed in %s", self.label, request.op)
            reply = _crashed(request.op, error)
        self._machine.finish(request.op, reply)
        self.last_activity = self._clock()
        return reply

    def end(self) -> None:
        """Refuse every further call. The environment itself is closed by the session table."""
        self._machine.close()


def _crashed(op: Op, error: Exception) -> ErrorReply:
    message = f"the server failed in {op}: {type(error).__name__}: {error}"
    return ErrorReply(ErrorCode.EXECUTION_ERROR, message, {"reason": Reason.CRASHED.value})
