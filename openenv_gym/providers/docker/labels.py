"""The labels on all that a provider makes on an engine: they tell what is left over, and whose it was."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

OWNER = "openenv-gym.owner"
SESSION = "openenv-gym.session"
NAME = "openenv-gym.name"
PROVIDER = "openenv-gym.provider"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from every other one, on every host, for all time.

    Attributes:
        pid: Its number, which is used again after its end.
        start: When it started, in the kernel's ticks since boot: with it the number is unambiguous.
        pid_namespace: The number of the namespace that the process number counts in.
        boot: The id of the host's boot.
        host: A hash of what names the host; containers are hosts of their own.
    """

    pid: int
    start: int
    pid_namespace: str
    boot: str
    host: str

    @classmethod
    def this_process(cls) -> Owner:
        """The owner that this process is."""
        return cls(os.getpid(), _start_time(os.getpid()) or 0, *_place())

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """The reverse of ``str``; ``None`` if it is no owner."""
        parts = text.split("/")
        if len(parts) != 5 or not (parts[0].isdecimal() and parts[1].isdecimal()):
            return None
        return cls(int(parts[0]), int(parts[1]), *parts[2:])

    def __str__(self) -> str:
        return f"{self.pid}/{self.start}/{self.pid_namespace}/{self.boot}/{self.host}"

    @property
    def alive(self) -> bool | None:
        """Whether the process lives; ``None`` if that cannot be told from here."""
        namespace, boot, host = _place()
        if host != self.host:
            return None
        if boot != self.boot:
            return False  # the host has been started anew since
        if namespace != self.pid_namespace:
            return None
        return _start_time(self.pid) == self.start


def labels(name: str, provider: str) -> dict[str, str]:
    """The labels for what a provider of that class makes for the server of that name."""
    return {
        OWNER: str(Owner.this_process()),
        SESSION: _session(os.getpid()),
        NAME: name,
        PROVIDER: provider,
    }


@functools.cache
def _session(pid: int) -> str:
    """This process's own random id; a forked child gets another."""
    return f"{pid}-{secrets.token_hex(6)}"


@functools.cache
def _place() -> tuple[str, str, str]:
    """Process namespace, boot and host."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""  # a container; its host name is random
    host = hashlib.sha256(f"{machine}\n{socket.gethostname()}".encode()).hexdigest()[:16]
    return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]"), boot, host


def _start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; ``None`` if there is no such process, or only its exit code is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name, in parentheses, may hold anything
    return None if fields[0] in "ZX" else int(fields[19])
