"""Drives the machine of ``openenv-gym.v1``: what it asks for is done on the one session table.

::

    frames of all connections -> ServerMachine -> effects: open, call, close -> SessionTable -> executors
                                      |                                                            |
    writers, woken once a turn  <- replies that are ready   <-   opened, finished, closed   <------+
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from openenv_gym.server.mcp import McpService
from openenv_gym.server.refusals import RETRY_AFTER, SessionRefused, session_error
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from openenv_gym.server.snapshots import Kept
from openenv_gym.wire.messages import ErrorCode, ErrorReply, McpReply, Op, Reason, Reply, Request
from openenv_gym.wire.v1.codecs import Codec, Frame
from openenv_gym.wire.v1.entries import Call
from openenv_gym.wire.v1.server_effects import CloseSession, OpenSession, RunCall
from openenv_gym.wire.v1.server_machine import ServerMachine
from openenv_gym.wire.v1.server_terms import ServerTerms

logger = logging.getLogger(__name__)

_OPS = {call: Op(call.value) for call in Call}
_MCP, _SNAPSHOT, _RESTORE = Op.MCP, Op.SNAPSHOT, Op.RESTORE
_SLICE = 0.002  # seconds of calls on this loop, after which what is ready is sent and others have a turn


class Multiplexer:
    """Keeps the multiplexed sessions of a server, over all connections.

    An immediate call (see `Executor`) runs in the turn of the loop that brought it; others report when they
    have ended. All methods belong to the server's event loop. Make it there, with the first
    connection: its greeting names this life of the server, which a forked process must not share.

    Args:
        table: Where the sessions live, beside those of other transports.
        mcp: Answers ``mcp`` calls.
        settings: Limits, and who else serves the environment.
    """

    def __init__(
        self,
        table: SessionTable,
        mcp: McpService,
        settings: ServerSettings,
    ) -> None:
        self._table = table
        self._mcp = mcp
        self._machine = ServerMachine(_terms(table, settings))
        self._loop = asyncio.get_running_loop()
        self._writers: dict[int, Callable[[], None]] = {}
        self._sessions: dict[str, Session] = {}  # those that the machine has not asked to close
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # calls that few make
        self._calls: deque[tuple[Session, Request, float]] = deque()  # immediate ones
        self._continued = False
        self._turn_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._outside = 0
        table.observer = self
        self.occupancy_changed()
        if table.draining:
            self._machine.drain()

    # --- connections -----------------------------------------------------------------------------------

    def connect(self, codec: Codec, wake_writer: Callable[[], None]) -> int:
        """Take in a connection.

        Args:
            codec: Of the agreed subprotocol.
            wake_writer: Called when there is something to send: have `next_frame` called soon.

        Returns:
            The connection's number.
        """
        number = self._machine.connect(codec)
        self._writers[number] = wake_writer
        self._turn()
        return number

    def disconnect(self, number: int) -> None:
        """Let a connection go; its sessions live on for their lease."""
        del self._writers[number]
        self._machine.disconnect(self._loop.time(), number)
        self._turn()

    def receive(self, number: int, frame: Frame) -> None:
        """Take a client's frame; raises `entries.FrameError` as the machine does."""
        try:
            self._machine.receive(self._loop.time(), number, frame)
        finally:  # the entries before a bad one count
            self._turn()

    def accepts(self, number: int) -> bool:
        """Whether to go on reading from a connection before what waits for it is sent."""
        return self._machine.accepts(number)

    def next_frame(self, number: int) -> Frame | None:
        """Make the next frame for a connection: all that is ready, up to the length that pays."""
        return self._machine.next_frame(number)

    # --- one turn --------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Do what the machine asks for, then wake the writers that got something to send."""
        machine = self._machine
        while True:
            for effect in machine.take_effects():
                if type(effect) is RunCall:
                    self._start(effect)
                elif type(effect) is OpenSession:
                    self._open(effect)
                elif type(effect) is CloseSession:
                    self._close(effect)
            if not self._calls or self._continued:
                break
            self._run_calls()
        for number in machine.take_writable():
            self._writers[number]()
        self._set_timer()

    def _run_calls(self) -> None:
        """Run immediate calls for a slice of time."""
        calls, finished = self._calls, self._finished
        call_now, clock = self._table.call_now, time.perf_counter
        end = clock() + _SLICE
        while calls:
            session, request, timeout = calls.popleft()
            finished(session, call_now(session, request, timeout))
            if clock() >= end and calls:
                self._continued = True
                self._loop.call_soon(self._continue)
                break

    def _continue(self) -> None:
        self._continued = False
        self._turn()

    def _set_timer(self) -> None:
        wakeup = self._machine.next_wakeup
        if wakeup is None or (self._timer is not None and self._timer.when() <= wakeup):
            return  # one that rings early finds nothing to do and sets the next
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(wakeup, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._machine.wake(self._loop.time())
        self._turn()

    # --- calls -----------------------------------------------------------------------------------------

    def _start(self, effect: RunCall) -> None:
        session = self._sessions.get(effect.session)
        if session is None:
            return  # it was ended in the same turn, and nobody waits for the answer
        request = Request(_OPS[effect.call], effect.payload)
        op = request.op
        if op is _MCP or op is _SNAPSHOT or op is _RESTORE:
            task = self._loop.create_task(self._answer(session, request, effect.timeout))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif session.immediate:
            self._calls.append((session, request, effect.timeout))
        else:
            self._table.start(session, request, effect.timeout)

    async def _answer(self, session: Session, request: Request, timeout: float) -> None:
        """Run one of the calls that few make."""
        reply: Reply
        if request.op is _MCP:
            reply = McpReply(await self._mcp.answer(request.payload, session, timeout))
        else:
            reply = await self._table.call(session, request, timeout)
        self.call_ended(session, reply)

    def _due_turn(self) -> None:
        self._turn_is_due = False
        self._turn()

    def _finished(self, session: Session, reply: Reply) -> None:
        if session.id not in self._sessions:
            return  # closed meanwhile; its id is never used again
        self._machine.finished(session.id, reply)
        if session.closing is not None and not (isinstance(reply, ErrorReply) and reply.ends_session):
            # The table closed it though its reply does not say so: a tool call that ran away, for example.
            self._machine.end(session.id, _ended())

    # --- opening and closing ---------------------------------------------------------------------------

    def _open(self, effect: OpenSession) -> None:
        try:
            origin = self._find_origin(effect)
            session = self._table.begin(effect.session, SessionKind.MULTIPLEXED)
        except SessionRefused as refused:
            self._machine.open_failed(self._loop.time(), effect.session, refused.reply)
            return
        self._sessions[session.id] = session
        opening = self._construct(session, effect.timeout, origin)
        self._opening[session.id] = self._loop.create_task(opening)

    def _find_origin(self, effect: OpenSession) -> Kept | None:
        """Find the snapshot that a session is forked from, if it is; raises `SessionRefused`."""
        if effect.parent is None:
            return None
        parent = self._sessions.get(effect.parent)
        if parent is None:  # it was to be opened in the same turn, and was refused
            raise SessionRefused(_ended())
        origin = parent.snapshots.find(effect.snapshot)
        if origin is None:
            raise SessionRefused(parent.snapshots.missing(ErrorCode.SESSION_ERROR))
        return origin

    async def _construct(self, session: Session, timeout: float, origin: Kept | None) -> None:
        failure: ErrorReply | None = None
        try:
            await self._table.construct(session, timeout, origin)
        except SessionRefused as refused:
            failure = refused.reply
        except Exception as error:  # ours: executors report the environment's own
            logger.exception("session %s could not be opened", session.label)
            message = f"the server failed in opening a session: {type(error).__name__}: {error}"
            failure = ErrorReply(ErrorCode.FACTORY_ERROR, message)
        if self._opening.pop(session.id, None) is None:
            return  # closed meanwhile
        if failure is None:
            self._machine.opened(session.id)
        else:
            del self._sessions[session.id]
            self._machine.open_failed(self._loop.time(), session.id, failure)
        self._turn()

    def _close(self, effect: CloseSession) -> None:
        session = self._sessions.pop(effect.session)
        opening = self._opening.pop(effect.session, None)
        if opening is not None:
            opening.cancel()
        closing = self._table.close_soon(session, effect.why)
        closing.add_done_callback(partial(self._closed, session.id))

    def _closed(self, session_id: str, _: asyncio.Task[None]) -> None:
        self._machine.closed(self._loop.time(), session_id)
        self._turn()

    # --- what the table reports ------------------------------------------------------------------------

    def occupancy_changed(self) -> None:
        """See `TableObserver`: slots taken by other transports are not this machine's to give."""
        outside = self._table.active - self._table.active_over(SessionKind.MULTIPLEXED)
        if outside != self._outside:
            self._outside = outside
            self._machine.occupy(outside)
            self._turn()

    def call_ended(self, session: Session, reply: Reply) -> None:
        """See `TableObserver`; the answers to many calls that end together share a turn."""
        self._finished(session, reply)
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._due_turn)

    def drain_began(self) -> None:
        """See `TableObserver`."""
        self._machine.drain()
        self._turn()

    def drain_ends(self) -> None:
        """See `TableObserver`: clients hear of the end, session by session."""
        self._calls.clear()
        self._machine.end_all()
        self._turn()


def _terms(table: SessionTable, settings: ServerSettings) -> ServerTerms:
    return ServerTerms(
        instance=secrets.token_urlsafe(16),
        capacity=table.capacity,
        lease=settings.lease,
        step_timeout=settings.step_timeout,
        open_timeout=settings.open_timeout,
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout,
        retry_after=RETRY_AFTER,
        max_frame_bytes=settings.max_frame_bytes,
        window_bytes=settings.max_frame_bytes,
        features=table.features,
        siblings=settings.siblings,
        group=settings.group,
    )


def _ended() -> ErrorReply:
    message = "the session has ended with its last call: open a new one"
    return session_error(message, Reason.CLOSED)
