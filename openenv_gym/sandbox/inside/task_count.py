"""How many processes and threads the kernel counts against a limit on those of one user (RLIMIT_NPROC)."""

from __future__ import annotations

import errno
import os
import resource
import time

_VALID_FOR = 1.0  # seconds
_MOST = 1 << 22  # the kernel has no more process ids


class TaskCount:
    """The tasks of this process's user, on the whole machine.

    ``/proc`` would show those of this container alone, where the kernel adds up all that share the user id,
    in other containers too. It tells the sum to who tries how low a limit still lets it fork.
    """

    def __init__(self) -> None:
        self._count = 0
        self._measured_at = float("-inf")

    def get(self) -> int:
        """The count, at most a second old. For a process of one thread, whose limit is lowered meanwhile.

        Where not one more process can be had under any limit, as in a container that is full, it is the last
        known.

        Raises:
            OSError: The kernel refused something else than too many processes.
        """
        if time.monotonic() - self._measured_at > _VALID_FOR:
            soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
            try:
                self._count = _search(self._count, _MOST if hard == resource.RLIM_INFINITY else hard, hard)
            finally:
                resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
            self._measured_at = time.monotonic()
        return self._count


def _search(guess: int, ceiling: int, hard: int) -> int:
    """Find the largest limit under which no fork succeeds: in growing steps from a guess, then by halves."""
    step = 1
    low = min(guess, ceiling - 1)
    high = low + 1
    if _can_fork(high, hard):
        while low > 0 and _can_fork(low, hard):
            low, high, step = max(low - step, 0), low, 2 * step
    else:
        low, high = high, min(high + step, ceiling)
        while not _can_fork(high, hard):
            if high == ceiling:
                return guess
            step *= 2
            low, high = high, min(high + step, ceiling)
    while high - low > 1:
        middle = (low + high) // 2
        if _can_fork(middle, hard):
            high = middle
        else:
            low = middle
    return low


def _can_fork(limit: int, hard: int) -> bool:
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, hard))
    try:
        pid = os.fork()
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        return False
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True
