"""The chain's server as a process of its own, which may be killed, frozen, drained and started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from websockets.sync.client import connect

from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.providers.readiness import wait_until_ready
from openenv_gym.wire.v1.codecs import JsonCodec
from tests.faults.chain import LEDGERS

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds; only what is broken takes them


class ChainServer:
    """A server on a port that stays its own from one life to the next.

    Args:
        execution: Names a function of `tests.faults.chain`.
        directory: Takes its log and the ledgers.
        capacity: Sessions at once.
        settings: Further environment variables.
    """

    def __init__(self, execution: str, directory: Path, *, capacity: int, **settings: str) -> None:
        self.capacity = capacity
        self.ledgers = directory / "ledgers"
        self.ledgers.mkdir(exist_ok=True)
        self._app = f"tests.faults.chain:{execution}"
        self._log = directory / f"{execution}.log"
        self._environ = {LEDGERS: str(self.ledgers), "MAX_CONCURRENT_ENVS": str(capacity), **settings}
        # Bound and not listening: the port is refused while no server runs, and nobody else can take it.
        self._reservation = socket.socket()
        self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reservation.bind(("127.0.0.1", 0))
        self.port: int = self._reservation.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Begin a life."""
        command = [sys.executable, "-m", "openenv_gym.server.serve", self._app, "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **self._environ}, stdout=log, stderr=log
            )
        problem = wait_until_ready(Endpoint(self.base_url), timeout=PATIENCE, ended=self._has_ended)
        assert problem is None, f"{problem}\n{self.log}"

    def _has_ended(self, seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        return self._popen.poll() is not None

    @property
    def log(self) -> str:
        """The last of what it wrote."""
        return self._log.read_text()[-4000:]

    def kill(self) -> None:
        """End this life without a word."""
        self._popen.kill()
        self._popen.wait(PATIENCE)

    def drain(self) -> None:
        """Ask for an orderly end."""
        self._popen.terminate()
        assert self._popen.wait(PATIENCE) == 0, self.log

    def freeze(self) -> None:
        """Stop the process as the kernel does it: its sockets stay."""
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the process go on."""
        self._popen.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good."""
        self.thaw()
        self.kill()
        self._reservation.close()

    # --- what it holds ---------------------------------------------------------------------------------

    def free_slots(self) -> int:
        """Ask the server itself, by its greeting."""
        address = f"ws://127.0.0.1:{self.port}/ws"
        with connect(address, subprotocols=[JsonCodec.subprotocol], proxy=None) as socket:  # type: ignore[list-item]
            ((_, _, kind, greeting),) = json.loads(socket.recv(PATIENCE))
        assert kind == "greeting"
        return int(greeting["free"])

    def holdings(self) -> dict[str, int]:
        """Count what the process holds of what can be leaked."""
        process = Path("/proc", str(self._popen.pid))
        threads = list((process / "task").iterdir())
        sockets = [fd for fd in (process / "fd").iterdir() if _target(fd).startswith("socket:")]
        return {"sockets": len(sockets), "threads": len(threads), "children": len(self.children())}

    def children(self) -> list[int]:
        """List the processes that it started."""
        threads = Path("/proc", str(self._popen.pid), "task").iterdir()
        return [int(pid) for thread in threads for pid in (thread / "children").read_text().split()]

    def resident_bytes(self) -> int:
        """Tell how much memory it has."""
        pages = Path("/proc", str(self._popen.pid), "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def executed(self, name: str) -> int:
        """Count the calls that ran for a session of this name, in all lives."""
        ledger = self.ledgers / name
        return ledger.stat().st_size if ledger.exists() else 0


def _target(fd: Path) -> str:
    with contextlib.suppress(OSError):  # closed meanwhile
        return str(fd.readlink())
    return ""
