"""The I/O thread's event loop, on which other threads may work while it sleeps.

Waking a thread costs more than most steps' own work. So a thread that wants something done on the loop does
it itself when it finds the loop asleep, that is waiting in its selector: nothing runs on a sleeping loop,
and a lock keeps it from going on before its *visitor* has left. On a loop that is awake the work is queued
instead. What is queued in one turn of a loop, in either direction, costs one wake-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import selectors
import signal
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

_Work = tuple[Callable[..., object], tuple[Any, ...]]

# The selectors of other systems may miss what a visitor changes while they wait.
_SELECTOR_NOTICES = hasattr(select, "epoll") or hasattr(select, "kqueue")

_ALARMS = (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF)


class _Bed(selectors.DefaultSelector):
    """The selector of a loop that may be visited while it waits here.

    Args:
        before: Called at the end of each turn of the loop.

    Attributes:
        lock: Held by whoever uses the loop: its own thread while it is awake, or a visitor.
        asleep: Whether the loop waits, or has been woken and waits for the lock.
    """

    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.lock.acquire()
        self.asleep = False
        self._before = before

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._before()
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        self.asleep = True
        self.lock.release()
        try:
            return super().select(timeout)
        finally:
            self.asleep = False
            self.lock.acquire()


class IoLoop(asyncio.SelectorEventLoop):
    """An event loop for a thread of its own."""

    def __init__(self) -> None:
        self._bed = _Bed(self._send_home)
        super().__init__(self._bed)
        self._arrivals: deque[_Work] = deque()
        self._expected = False  # whether the loop has been woken for what arrived
        self._departures: dict[asyncio.AbstractEventLoop, list[_Work]] = {}
        self._has_news = False  # something was scheduled, which a sleeping loop does not know

    # --- from other threads ----------------------------------------------------------------------------

    def visit(self, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback on the loop: at once, in this thread, if the loop sleeps, otherwise soon.

        It comes after all that was queued before. What it raises at once is raised here.
        """
        bed = self._bed
        welcome = bed.asleep and not bed.lock.locked() and not self._arrivals
        if not welcome or not _SELECTOR_NOTICES or self.get_debug() or _awaits_alarm():
            self.enqueue(callback, *args)
            return
        own = asyncio._get_running_loop()
        with bed.lock:  # a `with` on a lock itself: an interrupt finds it either not taken or given back
            try:
                asyncio._set_running_loop(self)
                self._has_news = False
                callback(*args)
            finally:
                asyncio._set_running_loop(own)
                self._send_home()
                if self._has_news:
                    self.call_soon_threadsafe(_wake_up)

    def enqueue(self, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback on the loop's own thread, soon."""
        self._arrivals.append((callback, args))
        if not self._expected:
            self._expected = True
            self.call_soon_threadsafe(self._take_in)

    def _take_in(self) -> None:
        self._expected = False  # first: what arrives from now on wakes the loop again
        arrivals = self._arrivals
        while arrivals:
            callback, args = arrivals.popleft()
            try:
                callback(*args)
            except Exception as error:  # noqa: BLE001 - as the loop itself does, reported and survived
                self.call_exception_handler({"message": "a queued callback failed", "exception": error})

    # --- to other loops --------------------------------------------------------------------------------

    def hand_back(self, loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback on another loop at the end of this turn; dropped if that loop is closed."""
        self._departures.setdefault(loop, []).append((callback, args))

    def _send_home(self) -> None:
        while self._departures:
            loop, work = self._departures.popitem()
            with contextlib.suppress(RuntimeError):  # it is closed: nobody waits there any more
                loop.call_soon_threadsafe(_run_all, work)

    def close(self) -> None:
        """Close the loop; what it had for other loops still goes there."""
        self._send_home()
        super().close()

    # --- what a visitor schedules ----------------------------------------------------------------------

    def call_soon(  # type: ignore[override]  # without typeshed's tie between callback and arguments
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Do what every loop does, and note it."""
        self._has_news = True
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]  # likewise
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Do what every loop does, and note it."""
        self._has_news = True
        return super().call_at(when, callback, *args, context=context)


def _awaits_alarm() -> bool:
    """Whether a timer's signal may raise an exception in this thread.

    Transports let a ``KeyboardInterrupt`` or ``SystemExit`` pass that befalls them, but take any other
    exception for a fault of the connection.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return False
    return any(callable(signal.getsignal(alarm)) for alarm in _ALARMS)


def _run_all(work: list[_Work]) -> None:
    for callback, args in work:
        callback(*args)


def _wake_up() -> None:
    """Nothing: that it is called is all."""
