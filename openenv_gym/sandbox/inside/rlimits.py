"""Resource limits that the kernel keeps for each process (setrlimit(2))."""

from __future__ import annotations

import math
import resource
from typing import Any


def apply_common() -> None:
    """Limit this process, and all that it starts, to what no program needs.

    Raises:
        OSError, ValueError: The kernel refused.
    """
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_RTPRIO, 0),
        (resource.RLIMIT_MEMLOCK, 1 << 16),
        (resource.RLIMIT_SIGPENDING, 1024),
    ):
        _lower(which, value, value)


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
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)
    for which, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
    ):
        _lower(which, value, value)


def _lower(which: int, soft: int, hard: int) -> None:
    # An unprivileged process cannot raise a hard limit that it came with.
    _, ceiling = resource.getrlimit(which)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))
