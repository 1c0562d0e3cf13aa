"""Which parts of the host every sandboxed program may read: its programs and libraries, no data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

# What the dynamic linker, Debian's alternatives and the clock need. No user names, no system-wide git
# configuration.
_SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
)
_NETWORK_SETTINGS = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", "/etc/ssl")

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def settings(*, network: bool) -> tuple[str, ...]:
    """The files of ``/etc`` that are shown."""
    return _SETTINGS + _NETWORK_SETTINGS if network else _SETTINGS


def interpreter() -> str:
    """The Python that runs the helper: this one, outside any virtual environment, links resolved."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return os.path.realpath(base)


def interpreter_folder() -> str | None:
    """The interpreter's installation when it is elsewhere than the system's programs (pyenv, uv, conda)."""
    folder = Path(interpreter()).parent.parent
    if any(folder.is_relative_to(os.path.realpath(system)) for system in PROGRAMS) or len(folder.parts) < 2:
        return None
    return str(folder)
