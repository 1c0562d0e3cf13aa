"""The second event loop of a process, where asynchronous environments run."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None


def environment_loop() -> asyncio.AbstractEventLoop:
    """Return the loop, starting its thread on first use.

    It runs until the process exits: environments may keep objects on it that outlive their sessions. A forked
    child, where the thread does not exist, gets a new one.
    """
    global _running
    with _lock:
        if _running is None or _running[0] != os.getpid():
            loop = _new_loop()
            thread = threading.Thread(target=loop.run_forever, name="environments", daemon=True)
            thread.start()
            atexit.register(_stop, os.getpid(), loop, thread)
            _running = os.getpid(), loop
        return _running[1]


def _new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop of the kind that uvicorn makes for the server itself."""
    try:
        import uvloop
    except ImportError:  # Windows, or an environment without the server extra
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _stop(pid: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    if pid != os.getpid():
        return
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=1.0)  # an environment that blocks the loop does not keep the process
    if not thread.is_alive():
        loop.close()
