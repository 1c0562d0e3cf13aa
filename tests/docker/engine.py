"""The Docker engine that the tests run on: one of their own, started and ended with them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import docker

from openenv_gym.providers.guarded_process import GuardedProcess

_PATIENCE = 60.0  # seconds for the engine to start; only what is broken takes them
_GRACE = 600.0  # seconds in which the keeper clears everything; a busy disk takes minutes to delete images
_FOLDERS = Path("/var/tmp")  # a disk: /tmp may be memory, and images are large
_PROGRAMS = ("dockerd", "containerd", "ip", "iptables", "unshare")


class Engine:
    """A private engine: own socket, data, bridge, addresses and cgroup; it hurts nobody when it is restarted.

    Args:
        folder: Where an `EngineOwner` keeps it, perhaps in another process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def host(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def pid(self) -> int:
        """The process id of dockerd."""
        return int((self.folder / "dockerd.pid").read_text())

    @property
    def alive(self) -> bool:
        """Whether the engine answers."""
        with socket.socket(socket.AF_UNIX) as connection:  # the SDK's, refused, would stay open
            connection.settimeout(5.0)
            try:
                connection.connect(f"{self.folder}/docker.sock")
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b"200" in connection.recv(64)
            except OSError:
                return False

    @property
    def log(self) -> str:
        """The latest of what the engine wrote."""
        log = self.folder / "dockerd.log"
        return log.read_text()[-8192:] if log.exists() else ""

    def bring_down(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End dockerd by a signal; it is started again a second after it has ended."""
        os.kill(self.pid, number)

    def keep_containers_running(self, wanted: bool) -> None:
        """Have containers outlive dockerd, and found again by the next; or not, as is the default."""
        path = self.folder / "daemon.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "live-restore": wanted}))
        os.kill(self.pid, signal.SIGHUP)
        give_up_at = time.monotonic() + _PATIENCE
        with closing(docker.DockerClient(base_url=self.host)) as client:
            while client.info()["LiveRestoreEnabled"] != wanted:
                assert time.monotonic() < give_up_at, self.log
                time.sleep(0.05)

    def wait_until_ready(self) -> None:
        """Return when the engine answers; fails with its log when it never does."""
        give_up_at = time.monotonic() + _PATIENCE
        while not self.alive:
            assert time.monotonic() < give_up_at, f"the engine does not start\n{self.log}"
            time.sleep(0.05)


class EngineOwner(Engine):
    """Starts a private engine; it ends, and leaves nothing, with this process, however that ends.

    Several can run at once. It needs root.
    """

    def __init__(self) -> None:
        missing = [program for program in _PROGRAMS if shutil.which(program) is None]
        assert not missing, f"{', '.join(missing)} missing: `make test-docker` installs what these tests need"
        super().__init__(_FOLDERS / f"oeg{secrets.token_hex(4)}")  # a network interface's name: 15 characters
        self.folder.mkdir(mode=0o711)
        keeper = str(Path(__file__).with_name("keeper.py"))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        self._keeper = GuardedProcess(
            ["unshare", "--mount", "--propagation", "private", sys.executable, keeper, str(self.folder)],
            environ,
            grace=_GRACE,
        )
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> str:
        """The latest of what the engine and its keeper wrote."""
        return self._keeper.log() + super().log

    def wait_until_ready(self) -> None:
        """Return when the engine answers; fails with its log when it never does."""
        while not self.alive and self._keeper.wait(0.05) is None:
            super().wait_until_ready()
        assert self._keeper.exit_code is None, f"the engine's keeper has ended\n{self.log}"

    def stop(self) -> None:
        """End the engine and everything it runs, and remove all of it."""
        self._keeper.end()
        assert not self.folder.exists(), f"the engine's end leaves {self.folder} behind\n{self._keeper.log()}"
