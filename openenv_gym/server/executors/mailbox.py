"""Runs functions on an event loop from other threads, waking it once for all that is ready.

A wake-up is a system call; when many sessions finish in one turn of the loop they share it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)

_mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Mailbox] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


class Mailbox:
    """The mailbox of one loop; `mailbox_of` finds it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._posts: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function soon on the loop; in silence, when the loop is closed, for then nobody waits."""
        self._posts.append((function, arguments))
        if self._woken:
            return
        self._woken = True
        loop = self._loop()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            logger.debug("a result came after its event loop was closed")

    def _deliver(self) -> None:
        self._woken = False  # before emptying: a post from now on wakes the loop again, at worst for nothing
        while self._posts:
            function, arguments = self._posts.popleft()
            function(*arguments)


def mailbox_of(loop: asyncio.AbstractEventLoop) -> Mailbox:
    """Find or make a loop's mailbox; thread-safe."""
    with _lock:
        mailbox = _mailboxes.get(loop)
        if mailbox is None:
            mailbox = _mailboxes[loop] = Mailbox(loop)
        return mailbox
