"""What a server's process costs: processor time and memory, as Linux counts them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import urlsplit

from openenv_gym.providers.endpoint import Endpoint

_LISTENING = "0A"  # the state in /proc/net/tcp
_SCHEDULED = 2  # the clock of all processor time, in the kernel's numbering of processes' clocks


class ServerProcess:
    """The process that listens at an endpoint of this machine.

    Args:
        endpoint: A server on 127.0.0.1, started by this user.

    Attributes:
        pid: Its number.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.pid = _listener(urlsplit(endpoint.base_url).port)
        self._clock = (~self.pid << 3) | _SCHEDULED  # what C's clock_getcpuclockid() returns

    def cpu_seconds(self) -> float:
        """Processor time of all its threads since it started."""
        return time.clock_gettime(self._clock)

    def memory(self) -> int:
        """Bytes it holds in memory now."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The most bytes it ever held in memory."""
        return self._status("VmHWM")

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None, f"no {field} in /proc/{self.pid}/status"
        return int(found[1]) * 1024


def _listener(port: int | None) -> int:
    """Find who listens on a port: the kernel lists the socket's inode, and its owner's files name it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = [row[9] for row in rows if row[3] == _LISTENING and int(row[1].partition(":")[2], 16) == port]
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = link.readlink().name
        except OSError:
            continue  # another user's, or gone meanwhile
        if any(target == f"socket:[{inode}]" for inode in inodes):
            return int(link.parts[2])
    raise LookupError(f"no process of this user listens on port {port}")
