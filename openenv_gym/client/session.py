"""One remote session: calls with deadlines, and the honest end of an episode whose connection is gone.

Runs on the I/O thread's loop; `EnvClient`, `SyncEnvClient` and `SessionPool` are ways to reach it from other
threads. What is legal when is decided by `wire.client_session`; how bytes travel by a `Connector`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from openenv_gym.client.channel import Channel, Connector
from openenv_gym.client.io_thread import Done
from openenv_gym.errors import (
    ClosedError,
    InvalidActionError,
    NotResetError,
    NotSupportedError,
    OpenEnvGymError,
    ProtocolError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.client_session import ClientSession, Phase
from openenv_gym.wire.faults import error_from_reply
from openenv_gym.wire.messages import (
    ErrorReply,
    FrameReply,
    McpReply,
    Op,
    Outcome,
    Reply,
    Request,
    RestoredReply,
    SnapshotReply,
    StateReply,
)

_ANSWERS: dict[Op, tuple[type[Reply], ...]] = {
    Op.RESET: (Outcome, ErrorReply),
    Op.STEP: (Outcome, ErrorReply),
    Op.STATE: (StateReply, ErrorReply),
    Op.MCP: (McpReply, ErrorReply),
    Op.SNAPSHOT: (SnapshotReply, ErrorReply),
    Op.RESTORE: (RestoredReply, ErrorReply),
    Op.RENDER: (FrameReply, ErrorReply),
}


class RemoteSession:
    """A session at a server, opened by its first call and again by a ``reset`` after a loss.

    Args:
        connector: Opens connections.
        endpoint: The server.
        connect_timeout: Seconds opening may take; ``None`` waits forever.

    Attributes:
        endpoint: Where the next connection goes.
        watch: Is told how the next call ends, once, unless its caller gave it up.
    """

    def __init__(
        self, connector: Connector, endpoint: Endpoint, *, connect_timeout: float | None = 10.0
    ) -> None:
        self.endpoint = endpoint
        self.watch: Callable[[Reply | BaseException], None] | None = None
        self._connector = connector
        self._connect_timeout = connect_timeout
        self._machine = ClientSession()
        self._channel: Channel | None = None
        self._refusal: ErrorReply | None = None
        self._opening: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Future[None]] = set()
        # The running call.
        self._op = Op.RESET
        self._done: Done | None = None
        self._timeout: float | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a connection stands."""
        return self._channel is not None

    @property
    def is_fresh(self) -> bool:
        """Whether no episode has begun, so that there is nothing to lose."""
        return self._machine.phase is Phase.FRESH

    def lose(self, cause: SessionLostError) -> None:
        """Record that the episode is gone; only a ``reset`` starts another."""
        self._machine.fail(cause)

    # --- calls -----------------------------------------------------------------------------------------

    def start(self, request: Request, timeout: float | None, done: Done) -> None:
        """Start a call; ``done`` gets its reply, or the error it ends with.

        Args:
            request: The call.
            timeout: Seconds the reply may take once the request is sent; ``None`` waits forever.
            done: Called once, maybe before `start` returns.
        """
        try:
            self._machine.begin(request.op)
        except OpenEnvGymError as error:
            self.watch = None
            done(error)
            return
        self._op, self._done = request.op, done
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            self._machine.abandon()
            self._report(error_from_reply(refusal))
        elif self._channel is None:
            self._starting = asyncio.get_running_loop().create_task(self._open_and_send(request, timeout))
        else:
            self._send(request, timeout)

    async def call(self, request: Request, timeout: float | None) -> Reply:
        """Make a call and await its reply; cancelling it gives the session up.

        Raises:
            OpenEnvGymError: What the call ended with.
        """
        future: asyncio.Future[Reply | OpenEnvGymError] = asyncio.get_running_loop().create_future()

        def done(result: Reply | OpenEnvGymError) -> None:
            if not future.done():
                future.set_result(result)

        self.start(request, timeout, done)
        try:
            result = await future
        except asyncio.CancelledError:
            self.give_up(done)
            raise
        if isinstance(result, OpenEnvGymError):
            raise result
        return result

    def give_up(self, done: Done) -> None:
        """Stop waiting for the call that reports to ``done``; without effect when it has reported.

        Whether the server ran it is unknown, so the session is lost, and its slot freed at once.
        """
        if self._done is done or self._done is None:
            self.abandon()

    def abandon(self) -> None:
        """Give up the call that runs, if one does, even if an interrupt cut its start short."""
        self.watch = None
        if self._machine.phase is Phase.BUSY:
            self._end_call(SessionLostError(f"{self._op}() was cancelled before its reply came"))

    async def _open_and_send(self, request: Request, timeout: float | None) -> None:
        done = self._done
        try:
            await self._ensure_open()
        except BaseException as error:
            if self._done is done:
                self._machine.abandon()
                self._report(error)
            if not isinstance(error, OpenEnvGymError | asyncio.CancelledError):
                raise
        else:
            if self._done is done:
                self._send(request, timeout)

    def _send(self, request: Request, timeout: float | None) -> None:
        assert self._channel is not None
        try:
            self._channel.send(request, timeout)
        except (TypeError, ValueError, RecursionError) as error:
            self._machine.abandon()
            self._report(InvalidActionError(f"{request.op}() cannot be sent: {error}", "VALIDATION_ERROR"))
            return
        except NotSupportedError as error:
            self._machine.abandon()
            self._report(error)
            return
        if timeout is not None and not self._channel.keeps_deadlines:
            self._arm(timeout)

    def _on_reply(self, reply: Reply) -> None:
        if self._done is None:
            assert isinstance(reply, ErrorReply)
            self._on_refusal(reply)
            return
        if not isinstance(reply, _ANSWERS[self._op]):
            kind = type(reply).__name__
            self._on_lost(ProtocolError(f"the server answered {self._op}() with a {kind}"))
            return
        self._machine.finish(reply)
        if not isinstance(reply, ErrorReply):
            self._report(reply)
            return
        if reply.ends_session:
            self._drop_channel(orderly=False)
        self._report(error_from_reply(reply))

    def _on_refusal(self, reply: ErrorReply) -> None:
        """The server ended the session between calls: the next call is told why."""
        if self._machine.phase is Phase.FRESH:
            self._refusal = reply
        else:
            self._machine.fail(SessionLostError(f"the server ended the session: {reply.message}"))
        self._drop_channel(orderly=False)

    def _on_lost(self, cause: OpenEnvGymError) -> None:
        """The channel ended by itself, or what it carries makes no sense."""
        self._drop_channel(orderly=False)
        if isinstance(cause, SessionLostError):
            lost = cause
        else:
            lost = SessionLostError(f"the session was given up: {cause}")
        if self._machine.phase is not Phase.FRESH:  # before the first call there is nothing to lose
            self._machine.fail(lost)
        self._report(cause)

    def _end_call(self, cause: SessionLostError) -> None:
        """Give up the running call, and the session with it."""
        self._machine.fail(cause)
        if self._opening is not None:
            self._opening.cancel()
        self._drop_channel(orderly=False)
        self._report(cause)

    def _report(self, result: Reply | BaseException) -> None:
        done, self._done, self._deadline = self._done, None, None
        if self.watch is not None:
            watch, self.watch = self.watch, None
            watch(result)
        if done is not None:
            done(result)

    def cut(self, cause: SessionLostError) -> None:
        """Give the session up without a word to the server, which is gone; a call that runs ends so."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.abort()
        self.watch = None
        if self._machine.phase is not Phase.FRESH:
            self._machine.fail(cause)
        self._report(cause)

    async def fork(self, snapshot: str, timeout: float | None) -> RemoteSession:
        """Open another session at the same server, where this one was when a snapshot was taken.

        Args:
            snapshot: Its handle.
            timeout: Seconds it may take, waiting for a slot included.

        Raises:
            SnapshotLostError: The server keeps it no longer.
            CapacityError: The server has no free session.
            NotSupportedError: The server offers no forks.
            SessionLostError: This session is gone, and its snapshots with it.
            NotResetError: It never began.
        """
        self._machine.require_alive("fork")
        if self._channel is None:
            raise NotResetError("fork() before reset(): call reset() first", "SESSION_ERROR")
        twin = RemoteSession(self._connector, self.endpoint, connect_timeout=self._connect_timeout)
        twin._machine = ClientSession(Phase.IDLE)
        twin._channel = await self._channel.fork(snapshot, timeout, twin._on_reply, twin._on_lost)
        return twin

    # --- deadlines -------------------------------------------------------------------------------------

    def _arm(self, timeout: float) -> None:
        """Set the call's deadline.

        The session keeps one timer and lets it run on when a call ends in time: a timer that wakes to find
        a later deadline goes back to sleep. So thousands of quick calls cost a handful of timers.
        """
        loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._deadline = deadline = loop.time() + timeout
        if self._timer is None or self._timer_at > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = loop.call_at(deadline, self._on_timer), deadline

    def _on_timer(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._deadline > self._timer_at:  # not the clock: timers fire a hair early, and would be set again
            loop = asyncio.get_running_loop()
            self._timer, self._timer_at = loop.call_at(self._deadline, self._on_timer), self._deadline
            return
        self._end_call(
            StepTimeoutError(
                f"no reply to {self._op}() came within {self._timeout:g} s, and whether it ran is unknown, "
                "so the session was given up"
            )
        )

    # --- connections -----------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Open the connection now instead of at the first call; does nothing when it stands.

        Raises:
            PeerError: It could not be opened.
            ClosedError: The session was closed.
        """
        if self._machine.phase is Phase.CLOSED:
            raise ClosedError("connect() was called after close(); make a new client")
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise error_from_reply(refusal)
        try:
            await self._ensure_open()
        except asyncio.CancelledError:
            if self._opening is not None:
                self._opening.cancel()
            raise

    async def _ensure_open(self) -> None:
        if self._channel is None:
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_task(self._open())
                self._opening.add_done_callback(self._on_opened)
            await asyncio.shield(self._opening)

    def _on_opened(self, opening: asyncio.Task[None]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # whoever waits has it; nobody may, after a cancellation

    async def _open(self) -> None:
        if self._closing:
            # The old session may hold the server's last slot until its goodbye is through.
            await asyncio.wait(self._closing, timeout=self._connect_timeout)
        channel = await self._connector.open(
            self.endpoint, self._connect_timeout, self._on_reply, self._on_lost
        )
        if self._machine.phase is Phase.CLOSED:
            await channel.close(orderly=True)
            raise ClosedError("the client was closed while it connected")
        self._channel = channel

    def _drop_channel(self, *, orderly: bool) -> None:
        """Close the connection in the background."""
        channel, self._channel = self._channel, None
        if channel is not None:
            end = channel.close(orderly=orderly)
            if not end.done():
                self._closing.add(end)
                end.add_done_callback(self._closing.discard)

    async def disconnect(self) -> None:
        """Close the connection but keep the session usable: the next ``reset`` opens a new one."""
        self._refusal = None
        if self._machine.phase is not Phase.FRESH:
            self._machine.fail(SessionLostError("disconnect() ended the session"))
        await self._shut()

    async def close(self) -> None:
        """End the session for good and free its slot. Bounded; safe to call twice."""
        self._machine.close()
        await self._shut()

    async def _shut(self) -> None:
        busy = self._done is not None
        self.watch = None
        if self._opening is not None:
            self._opening.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drop_channel(orderly=not busy)
        self._report(SessionLostError(f"the client was closed while {self._op}() ran"))
        if self._closing:
            await asyncio.wait(self._closing)
