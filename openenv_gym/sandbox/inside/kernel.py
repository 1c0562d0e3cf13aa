"""The few system calls that the standard library does not wrap, by ctypes."""

from __future__ import annotations

import ctypes
import os

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_GET_SECCOMP = 21

# capget(2): version 3, this process.
_CAPABILITY_HEADER = (ctypes.c_uint32 * 2)(0x20080522, 0)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def prctl(option: int, argument: int = 0, pointer: int = 0) -> int:
    """``prctl(2)``.

    Raises:
        OSError: The kernel refused.
    """
    words = [ctypes.c_ulong(value) for value in (argument, pointer, 0, 0)]
    result: int = _libc.prctl(option, *words)
    if result < 0:
        raise _error(f"prctl({option})")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """Any system call by number; ``name`` is for the error message.

    Raises:
        OSError: The kernel refused.
    """
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _error(name)
    return result


def capabilities() -> int:
    """This process's effective, permitted and inheritable capabilities together, as a bit mask."""
    sets = (ctypes.c_uint32 * 6)()
    if _libc.capget(ctypes.byref(_CAPABILITY_HEADER), ctypes.byref(sets)) < 0:
        raise _error("capget")
    low, high = sets[0] | sets[1] | sets[2], sets[3] | sets[4] | sets[5]
    return low | high << 32


def drop_capabilities() -> None:
    """Give up every capability; a change of user leaves the inheritable ones."""
    if _libc.capset(ctypes.byref(_CAPABILITY_HEADER), ctypes.byref((ctypes.c_uint32 * 6)())) < 0:
        raise _error("capset")


def _error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
