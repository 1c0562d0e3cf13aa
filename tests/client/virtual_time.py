"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


_MOST_TURNS = 100_000  # without a pause; more are a loop that spins


class _JumpingSelector(selectors.DefaultSelector):
    loop: _VirtualTimeLoop
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        self.turns += 1
        if not events and timeout is None:
            raise RuntimeError("every task waits for another: nothing can ever happen again")
        if self.turns > _MOST_TURNS:
            raise RuntimeError(f"something is tried again and again without a pause ({events=})")
        if not events and timeout:
            self.loop.now += timeout
            self.turns = 0
        return events


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run an async test, which uses neither sockets nor threads, in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
            return runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """The running loop's time in seconds."""
    return asyncio.get_running_loop().time()
