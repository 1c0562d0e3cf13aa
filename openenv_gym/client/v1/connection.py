"""One connection to a server for many sessions: it mends itself, and ends with its last session.

What is sent again after a cut, and what is lost, is decided by `wire.v1.client_machine`. Here its frames
travel: requests of one turn of the loop go out together, the replies of a frame are handed out together, and
one task and one timer serve all sessions.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from openenv_gym.client.channel import OnLost, OnReply
from openenv_gym.client.v1.channel import SharedChannel
from openenv_gym.client.v1.greeting_waiters import GreetingWaiters
from openenv_gym.client.v1.line import Line, Redial
from openenv_gym.client.v1.prognosis import Prognosis
from openenv_gym.errors import CapacityError, OpenEnvGymError, ProtocolError, SessionLostError
from openenv_gym.transport.interface import ConnectionClosed, Transport
from openenv_gym.wire.messages import Request
from openenv_gym.wire.v1.client_events import Closed, Draining, Event, Gone, Greeted, Opened, Replied
from openenv_gym.wire.v1.client_machine import ClientMachine
from openenv_gym.wire.v1.codecs import Codec, Frame, JsonCodec
from openenv_gym.wire.v1.entries import Greeting

_GOODBYE_TIMEOUT = 3.0  # seconds a server may take to close an environment before we stop waiting
_OPEN_TIMEOUT = 300.0  # seconds, for an open without a limit of its own


class SharedConnection:
    """A connection that carries sessions; lives on one event loop, and starts there at once.

    Args:
        transport: An open connection whose subprotocol is the codec's.
        codec: The encoding.
        redial: Opens another one, or raises a `PeerError`.
        patience: Seconds beyond a call's own time after which its answer is no longer expected.
        outage_timeout: Seconds without a connection after which the sessions are given up.
        eager: Send a call at once when no other is under way, instead of at the end of the loop's turn: best
            where sessions are used one by one, or all at random. Where they are used in batches, the first
            of each would travel alone.
        jitter: Gives numbers in [0, 1), so that many clients do not come back at the same moment.

    Attributes:
        room: Slots that were free or held by this connection's own sessions when the server last spoke of it.
    """

    def __init__(
        self,
        transport: Transport,
        codec: Codec,
        redial: Redial,
        *,
        patience: float = 10.0,
        outage_timeout: float = 30.0,
        eager: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.room: int | None = None
        self._loop = asyncio.get_running_loop()
        self._machine = ClientMachine(codec, patience=patience, outage_timeout=outage_timeout)
        self._eager = eager
        self._is_text = isinstance(codec, JsonCodec)
        self._channels: dict[str, SharedChannel] = {}
        self._openings: dict[str, asyncio.Future[None]] = {}
        self._goodbyes: dict[str, asyncio.Future[None]] = {}
        self._waiters = GreetingWaiters()
        self._prognosis = Prognosis()
        self._turn_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._guests = 0  # visits, and opens under way
        self._used = False
        self._retired = False
        self._line = Line(transport, redial, self, outage_timeout=outage_timeout, jitter=jitter)

    @property
    def is_usable(self) -> bool:
        """Whether sessions may still be opened here; if not, it is over or about to be."""
        return not self._retired

    @property
    def greeting(self) -> Greeting:
        """What the server said when last connected to; only after a `visit` or `open`."""
        assert self._machine.greeting is not None
        return self._machine.greeting

    @property
    def free(self) -> int | None:
        """Slots that were free when the server last spoke of it, those of sessions opened since left out."""
        return None if self.room is None else max(0, self.room - len(self._channels))

    async def visit(self, timeout: float | None) -> None:
        """Wait for the server's greeting; the connection then stays, until `end_visit`, without sessions too.

        Raises:
            PeerError: It does not come.
        """
        self._guests += 1
        self._used = True
        try:
            await self._wait_for_greeting(timeout)
        except BaseException:
            self.end_visit()
            raise

    def end_visit(self) -> None:
        """Let the connection end if it carries nothing."""
        self._guests -= 1
        self._turn_soon()

    async def _wait_for_greeting(self, timeout: float | None) -> None:
        """Return when the connection is up; raise why it is not when an attempt fails."""
        if not self._machine.is_up:
            self._line.hurry()
            await self._waiters.wait(timeout)

    # --- sessions --------------------------------------------------------------------------------------

    async def open(
        self,
        timeout: float | None,
        on_reply: OnReply,
        on_lost: OnLost,
        *,
        origin: tuple[str, str] | None = None,
    ) -> SharedChannel:
        """Open a session; see `Connector.open`, and `Channel.fork` where ``origin`` names its parent and the
        parent's snapshot."""
        self._guests += 1
        self._used = True
        try:
            began = self._loop.time()
            await self._wait_for_greeting(timeout)
            left = _OPEN_TIMEOUT if timeout is None else max(0.01, began + timeout - self._loop.time())
            parent, snapshot = origin or (None, None)
            session = self._machine.open(self._loop.time(), left, parent=parent, snapshot=snapshot)
            opening = self._openings[session] = self._loop.create_future()
            channel = SharedChannel(self, session, on_reply, on_lost)
            self._channels[session] = channel
            self._turn_soon()
            try:
                await opening
            except asyncio.CancelledError:
                self._channels.pop(session, None)
                self._machine.close(session)
                raise
            finally:
                self._openings.pop(session, None)
            return channel
        finally:
            self._guests -= 1
            self._turn_soon()

    def call(self, channel: SharedChannel, request: Request, timeout: float | None) -> None:
        """Queue a channel's request; see `Channel.send`."""
        if channel.session not in self._channels:  # lost before its user could know
            self._loop.call_soon(channel.on_lost, SessionLostError("the session ended as it was opened"))
            return
        machine = self._machine
        is_alone = len(self._channels) == 1 or (self._eager and machine.is_quiet)
        try:
            machine.call(self._loop.time(), channel.session, request.op, request.payload, timeout)
            if is_alone:
                self._flush()  # nobody to share a frame with
            elif not self._turn_is_due:
                self._turn_is_due = True
                self._loop.call_soon(self._turn)
        except BaseException as error:
            if not isinstance(error, Exception):
                # Ctrl-C, in a thread that visits the loop (see `IoLoop`): whatever it left half done, on
                # another connection everything that is unanswered is sent again.
                self._loop.call_soon(self._line.start_afresh)
            raise

    def leave(self, channel: SharedChannel, *, patient: bool) -> asyncio.Future[None]:
        """End a channel's session; see `Channel.close`.

        Args:
            channel: The channel.
            patient: Wait for the server even while there is no connection to it.
        """
        over: asyncio.Future[None] = self._loop.create_future()
        known = self._channels.pop(channel.session, None) is not None
        if not known or self._retired or not (patient or self._machine.is_up):
            over.set_result(None)
        else:
            self._goodbyes[channel.session] = over
            timer = self._loop.call_later(_GOODBYE_TIMEOUT, self._stop_waiting, channel.session)
            over.add_done_callback(lambda _: timer.cancel())
            self._line.hurry()
        if known:
            self._machine.close(channel.session)
            self._turn_soon()
        return over

    def give_up(self, cause: OpenEnvGymError) -> None:
        """End at once with all that it carries, without a word to the server, which is gone."""
        self._retired = True
        self._machine.abandon(cause)
        self._waiters.release(cause)
        self._turn()
        for over in self._goodbyes.values():
            _settle(over)
        self._goodbyes.clear()
        self._line.start_afresh()  # the end of this one; with `end`, no other follows
        self._line.end()

    def _stop_waiting(self, session: str) -> None:
        """Leave a session to its lease."""
        over = self._goodbyes.pop(session, None)
        if over is not None:
            self._finish_goodbye(over)
        self._turn_soon()

    def _finish_goodbye(self, over: asyncio.Future[None]) -> None:
        """Report a goodbye; the last one only when the connection is closed too."""
        if self._is_idle:
            self.retire_if_idle()
            self._line.task.add_done_callback(lambda _: _settle(over))
        else:
            _settle(over)

    # --- turns -----------------------------------------------------------------------------------------

    def _turn_soon(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Hand out what happened, then send what waits."""
        self._turn_is_due = False
        machine = self._machine
        while events := machine.take_events():
            for event in events:
                if type(event) is Replied:
                    channel = self._channels.get(event.session)
                    if channel is not None:
                        channel.on_reply(event.answer)
                else:
                    self._handle(event)
            if type(event) is Replied or type(event) is Opened:
                self._prognosis.broken = 0
                self._line.was_useful()
        self._flush()
        if self._used and not self._channels:
            self.retire_if_idle()

    def _flush(self) -> None:
        """Send what waits, and set the timer."""
        machine = self._machine
        transport = self._line.transport
        if transport is not None:
            while (frame := machine.next_frame()) is not None:
                transport.send(frame)
        wakeup = machine.next_wakeup
        if wakeup is not None and (self._timer is None or self._timer_at > wakeup):
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self._loop.call_at(wakeup, self._on_timer), wakeup

    def _on_timer(self) -> None:
        self._timer = None
        self._machine.wake(self._loop.time())
        self._turn()

    def _handle(self, event: Event) -> None:
        match event:
            case Greeted(greeting, _):
                self._note_free(greeting.free)
                self._waiters.release()
            case Opened(session, free):
                if (opening := self._openings.pop(session, None)) is not None:
                    _settle(opening)
                self._note_free(free)
            case Gone():
                self._end(event)
            case Draining():
                self._prognosis.is_draining = True
            case Closed(session):
                if (over := self._goodbyes.pop(session, None)) is not None:
                    self._finish_goodbye(over)

    def _note_free(self, free: int | None) -> None:
        if free is not None:
            self.room = free + len(self._channels) - len(self._openings)

    def _end(self, gone: Gone) -> None:
        """Tell a session's user that it is over."""
        channel = self._channels.pop(gone.session, None)
        opening = self._openings.pop(gone.session, None)
        if opening is not None:
            if isinstance(gone.cause, CapacityError):
                self._note_free(0)  # others have taken what the server last told of
            if not opening.done():
                opening.set_exception(gone.cause)
        elif channel is not None and gone.reply is not None:
            channel.on_reply(gone.reply)
        elif channel is not None:
            channel.on_lost(gone.cause)

    # --- the line --------------------------------------------------------------------------------------

    @property
    def awaits_a_sign(self) -> bool:
        """See `LineUser`."""
        return self._machine.awaits_answer

    def line_up(self) -> None:
        """See `LineUser`."""
        self._machine.connected()

    def take_frame(self, frame: Frame) -> None:
        """See `LineUser`."""
        if self._is_text and isinstance(frame, bytes):
            frame = frame.decode()
        self._machine.receive(self._loop.time(), frame)
        self._turn()

    def line_down(self, closed: ConnectionClosed | ProtocolError, since: float) -> None:
        """See `LineUser`: sessions wait for the next connection, unless it could not help them."""
        self._machine.disconnected(since)
        cause = self._prognosis.why_for_good(closed)
        if cause is not None:
            self._machine.abandon(cause)
            self._waiters.release(cause)
        self._turn()

    def line_refused(self, error: OpenEnvGymError) -> None:
        """See `LineUser`."""
        self._waiters.release(error)
        self._turn()

    def ask_for_a_sign(self) -> None:
        """See `LineUser`."""
        self._machine.ping()
        self._flush()

    def line_over(self) -> None:
        """See `LineUser`."""
        self._retired = True
        lost = SessionLostError("the connection was closed on this side")
        self._machine.abandon(lost)  # there is nobody, unless this process is ending
        self._waiters.release(lost)
        self._turn()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _is_idle(self) -> bool:
        return not (self._channels or self._goodbyes or self._guests)

    def retire_if_idle(self) -> None:
        """End the connection when it carries nothing and nobody waits for it."""
        if self._is_idle and not self._retired:
            self._retired = True
            self._line.end()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
