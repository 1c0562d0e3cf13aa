"""The process's one I/O thread: every socket lives on its event loop.

Pings are answered there however long the user's own thread or loop is busy, and a synchronous and an
asynchronous client are two ways to wait for the same thing. The thread starts at first use, is a daemon, and
is stopped in order at interpreter exit. A forked child has no threads but its own: it gets a fresh one, and
whatever lived on the parent's is the parent's.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from openenv_gym.client.io_loop import IoLoop

T = TypeVar("T")

Done = Callable[[Any], None]
"""Takes a call's result, or the exception it ends with; called once, on the I/O thread."""

_EXIT_TIMEOUT = 2.0  # seconds a clean stop may take before the interpreter goes on without


class IoThread:
    """A daemon thread that runs an event loop.

    Attributes:
        loop: The loop; from outside only `IoLoop.visit` and `IoLoop.enqueue`, and what is built on them.
    """

    def __init__(self) -> None:
        self.loop = IoLoop()
        self._thread = threading.Thread(target=self._main, name="openenv-gym-io", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self._cancel_all()
            self.loop.close()

    def _cancel_all(self) -> None:
        """End every task, and those that start because others end."""
        give_up_at = self.loop.time() + _EXIT_TIMEOUT
        while (tasks := asyncio.all_tasks(self.loop)) and (left := give_up_at - self.loop.time()) > 0:
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=left))

    @property
    def is_running(self) -> bool:
        """Whether calls can still be made."""
        return self._thread.is_alive() and not self.loop.is_closed()

    @property
    def is_mine(self) -> bool:
        """Whether it runs, and in this process rather than the parent of a fork."""
        return self is _current and self.is_running

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Run a callback on the loop, at once or soon (see `IoLoop.visit`); the cheapest way in."""
        self.loop.visit(callback, *args)

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Start a coroutine on the loop and block for its result.

        Raises:
            TimeoutError: It took longer than ``timeout`` seconds; it was cancelled.
        """
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    async def arun(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Start a coroutine on the loop and await its result on the caller's own loop."""
        return await asyncio.wrap_future(self.submit(coroutine))

    def call(self, start: Callable[[Done], None], give_up: Callable[[Done], None]) -> Any:
        """Block for an operation that reports by callback; several times cheaper than `run`.

        Args:
            start: Called on the loop with the `Done` that takes the result.
            give_up: Called on the loop with the same `Done` when the caller is interrupted.

        Raises:
            BaseException: Whatever exception the operation ended with.
        """
        gate = threading.Lock()
        gate.acquire()
        results: list[Any] = []

        def done(result: Any) -> None:
            results.append(result)
            gate.release()

        try:
            self.loop.visit(start, done)
            gate.acquire()
        except BaseException:
            self.loop.enqueue(give_up, done)
            raise
        return _unwrap(results[0])

    async def acall(self, start: Callable[[Done], None], give_up: Callable[[Done], None]) -> Any:
        """Do what `call` does, awaiting on the caller's own loop; a cancelled caller gives up."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any) -> None:
            if not future.done():
                future.set_result(result)

        def done(result: Any) -> None:
            self.loop.hand_back(loop, settle, result)

        try:
            self.loop.visit(start, done)
            result = await future
        except BaseException:
            self.loop.enqueue(give_up, done)
            raise
        return _unwrap(result)

    def stop(self) -> None:
        """Cancel what runs and end the thread, waiting a bounded time."""
        if self.is_running:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(2 * _EXIT_TIMEOUT)


def _unwrap(result: Any) -> Any:
    if isinstance(result, BaseException):
        raise result
    return result


_lock = threading.Lock()
_current: IoThread | None = None
_inherited: list[IoThread] = []  # kept alive: collecting a parent's loop would close what the parent uses


def io_thread() -> IoThread:
    """Return this process's I/O thread, starting it at first use."""
    thread = _current
    return thread if thread is not None else _start()


def _start() -> IoThread:
    global _current
    with _lock:
        if _current is None:
            _current = IoThread()
        return _current


def _forget_parents_thread() -> None:
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        _inherited.append(_current)
        _current = None


def _stop_at_exit() -> None:
    if _current is not None:
        _current.stop()


os.register_at_fork(after_in_child=_forget_parents_thread)
atexit.register(_stop_at_exit)
