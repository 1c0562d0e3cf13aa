"""Tells the C library to keep freed memory, because a server frees and asks for frames all the time.

glibc gives back to the kernel what is free at the end of its heap, and the kernel clears every page that it
hands out again: with image observations that takes longer than everything else (benchmarks/pixels.py is half
as fast). The bounds below cost at most 16 MiB of idle memory.
"""

from __future__ import annotations

import ctypes
import os

# Parameters of mallopt(3), and the environment variables by which an operator sets the same.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")

_KEPT = 16 * 2**20  # bytes at the end of the heap
_LARGE = 4 * 2**20  # bytes of one piece, which is then a mapping of its own and always given back


def keep_freed_memory() -> None:
    """Keep up to `_KEPT` bytes, unless an operator has decided otherwise or the C library is another."""
    if any(name in os.environ for name in _VARIABLES):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
