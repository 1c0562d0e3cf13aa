"""Frees what nobody closed before the garbage collector found it.

The collector runs in any thread and at any moment, the I/O thread's included, and stopping a server may take
seconds: so it happens in a thread of its own, which the interpreter's exit waits for.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

from openenv_gym.errors import OpenEnvGymError

logger = logging.getLogger(__name__)


def free_in_background(give_back: Callable[[], None]) -> None:
    """Call ``give_back`` soon. Does nothing while the interpreter ends: the providers' exit hooks did it."""
    if sys.is_finalizing():
        return
    try:
        threading.Thread(target=_free, args=(give_back,), name="openenv-gym-free").start()
    except RuntimeError:  # between the last thread's end and the exit hooks
        _free(give_back)


def _free(give_back: Callable[[], None]) -> None:
    try:
        give_back()
    except OpenEnvGymError:
        logger.exception("a server that nobody stopped could not be stopped")
