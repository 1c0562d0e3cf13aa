"""Resource limits that the kernel keeps for each program (setrlimit(2))."""

from __future__ import annotations

import math
import resource
from typing import Any


def apply(limits: dict[str, Any], processes: int) -> None:
    """Limit this process and what it starts.

    Args:
        limits: The fields of ``openenv_gym.sandbox.Limits``.
        processes: How many tasks this process's user may have in all; the caller has added what is not the
            program's own.

    Raises:
        OSError, ValueError: The kernel refused.
    """
    cpu = max(1, math.ceil(limits["cpu_seconds"]))
    # One second between the soft limit (SIGXCPU, which a program may ignore) and the hard one (SIGKILL).
    _set(resource.RLIMIT_CPU, cpu, cpu + 1)
    _set(resource.RLIMIT_AS, limits["memory_bytes"])
    _set(resource.RLIMIT_NPROC, processes)
    _set(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _set(resource.RLIMIT_NOFILE, limits["open_files"])
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_MSGQUEUE, 0)
    _set(resource.RLIMIT_MEMLOCK, min(1 << 16, limits["memory_bytes"]))
    _set(resource.RLIMIT_RTPRIO, 0)
    _set(resource.RLIMIT_SIGPENDING, 1024)


def _set(which: int, soft: int, hard: int | None = None) -> None:
    # An unprivileged process cannot raise a hard limit that it came with.
    _, ceiling = resource.getrlimit(which)
    if hard is None:
        hard = soft
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))
