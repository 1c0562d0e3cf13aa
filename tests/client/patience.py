"""Waiting for what another thread or a server does."""

from __future__ import annotations

import threading
from collections.abc import Callable

_PATIENCE = 30.0  # seconds; only what is broken takes them


def wait_until(condition: Callable[[], object], seconds: float = _PATIENCE) -> None:
    """Block until a condition holds; fails when it never does."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.001)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("what was waited for did not happen")
