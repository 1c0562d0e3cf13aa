"""One connection to a server after the other: connects again, and looks for a way round a silent one.

A connection that is cut says so. One that is stalled or half open says nothing, and neither does one whose
server is busy or frozen; so silence ends nothing here. It only makes the line dial again beside the old
connection, and whichever of the two speaks first is used: a server that lives on answers the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from openenv_gym.errors import OpenEnvGymError, ProtocolError
from openenv_gym.transport.interface import ConnectionClosed, Transport
from openenv_gym.wire.v1.entries import FrameError

_FIRST_PAUSE = 0.05  # seconds between attempts to connect again
_LOOKS = 8  # in the time that a server may be unreachable; the second in vain is silence
_CLOSE_PROTOCOL_ERROR = 1002

Redial = Callable[[], Awaitable[Transport]]


class LineUser(Protocol):
    """Whose frames a line carries."""

    @property
    def awaits_a_sign(self) -> bool:
        """Whether the server owes an answer, so that silence means something."""
        ...

    def line_up(self) -> None:
        """A connection stands."""
        ...

    def take_frame(self, frame: str | bytes) -> None:
        """Take what the server sent.

        Raises:
            FrameError: It is no frame; the connection is closed.
            UnicodeError: Likewise.
        """
        ...

    def line_down(self, closed: ConnectionClosed | ProtocolError, since: float) -> None:
        """The connection is over.

        Args:
            closed: How it ended, or what was wrong with what came.
            since: Since when the server has been out of reach, on the loop's clock.
        """
        ...

    def line_refused(self, error: OpenEnvGymError) -> None:
        """An attempt to connect failed; another follows."""
        ...

    def ask_for_a_sign(self) -> None:
        """Send something that the server answers at once."""
        ...

    def line_over(self) -> None:
        """There will be no connection any more."""
        ...


class Line:
    """Keeps a connection up until `end`; lives on one event loop, and starts there at once.

    Args:
        transport: An open connection.
        redial: Opens another one, or raises a `PeerError`.
        user: Takes what comes.
        outage_timeout: Seconds without a connection that its user will bear; sets the pace of everything.
        jitter: Gives numbers in [0, 1), so that many clients do not come back at the same moment.

    Attributes:
        transport: The connection that stands, to send on; ``None`` while there is none.
        task: Ends when the line is over.
    """

    def __init__(
        self,
        transport: Transport,
        redial: Redial,
        user: LineUser,
        *,
        outage_timeout: float,
        jitter: Callable[[], float],
    ) -> None:
        self.transport: Transport | None = None
        self._redial = redial
        self._user = user
        self._jitter = jitter
        self._pace = outage_timeout / _LOOKS
        self._loop = asyncio.get_running_loop()
        self._attempts = 0  # to connect, since a connection was of use
        self._hurry = asyncio.Event()
        self._search: asyncio.Task[Transport] | None = None
        self._unreachable_since: float | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._progress = 0
        self._was_silent = False
        self.task = self._loop.create_task(self._run(transport))

    def end(self) -> None:
        """Close the connection, and open no other."""
        self.task.cancel()

    def hurry(self) -> None:
        """Connect now rather than after the present pause."""
        self._hurry.set()

    def start_afresh(self) -> None:
        """Go over to another connection, where everything that is unanswered is sent again."""
        if self.transport is not None:
            self.transport.abort()

    def was_useful(self) -> None:
        """Forget past failures: what follows them needs no long pause."""
        self._attempts = 0

    async def _run(self, transport: Transport) -> None:
        try:
            while True:
                await self._converse(transport)
                transport = await (self._search or self._start_search())
                self._search = None
        finally:
            self._stop_search()
            self._user.line_over()

    async def _converse(self, transport: Transport) -> None:
        """Carry frames until the connection is over."""
        self.transport = transport
        began = self._loop.time()
        self._user.line_up()
        self._start_looking(transport)
        why: ConnectionClosed | ProtocolError
        try:
            await transport.forward(self._user.take_frame)
        except ConnectionClosed as closed:
            why = closed
        except (FrameError, UnicodeError) as error:
            why = ProtocolError(f"the server broke the protocol: {error}")
            await transport.close(_CLOSE_PROTOCOL_ERROR)
        except asyncio.CancelledError:
            await transport.close()
            raise
        finally:
            self.transport = None
            if self._looking is not None:
                self._looking.cancel()
        now = self._loop.time()
        if now - began > self._pace:
            self._attempts = 0
        since = now
        if self._unreachable_since is not None:  # it was silent first; one more attempt it gets all the same
            since = max(self._unreachable_since, now - (_LOOKS - 1) * self._pace)
        self._user.line_down(why, since)

    # --- another connection ----------------------------------------------------------------------------

    def _start_search(self) -> asyncio.Task[Transport]:
        self._search = self._loop.create_task(self._find())
        return self._search

    def _stop_search(self) -> None:
        if self._search is not None:
            self._search.cancel()
            self._search.add_done_callback(_discard)
        self._search, self._unreachable_since = None, None

    async def _find(self) -> Transport:
        """Connect, with growing pauses between attempts."""
        while True:
            if self._attempts:
                pause = min(self._pace / 2, _FIRST_PAUSE * 2 ** min(self._attempts - 1, 10))
                self._hurry.clear()
                await _first_of(self._hurry, pause * (0.5 + self._jitter()))
            self._attempts += 1
            began = self._loop.time()
            try:
                successor = await self._redial()
            except OpenEnvGymError as error:
                if self._unreachable_since is None:
                    self._unreachable_since = began
                self._user.line_refused(error)
            else:
                self._unreachable_since = None
                if self.transport is not None:
                    self.transport.abort()  # nothing is lost by that: the server answers again on the new one
                return successor

    # --- silence ---------------------------------------------------------------------------------------

    def _start_looking(self, transport: Transport) -> None:
        self._was_silent = False
        self._progress = transport.progress
        self._looking = self._loop.call_later(self._pace, self._look, transport)

    def _look(self, transport: Transport) -> None:
        """Ask a silent server for a sign of life; if that brings none, look for another way to it.

        Counted in looks, not seconds: a process that was held up itself finds what has come meanwhile.
        """
        self._looking = self._loop.call_later(self._pace, self._look, transport)
        if transport.progress != self._progress or not self._user.awaits_a_sign:
            self._was_silent = False
            self._stop_search()
        elif not self._was_silent:
            self._was_silent = True
            self._user.ask_for_a_sign()
        elif self._search is None:
            self._start_search()
        self._progress = transport.progress


def _discard(search: asyncio.Task[Transport]) -> None:
    """Close a connection that came too late to be of use."""
    if not search.cancelled() and search.exception() is None:
        search.result().abort()


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
