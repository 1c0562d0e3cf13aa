"""From nothing to the first step of sessions on a server each: a fleet's, and containers started by hand."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from contenders import ECHO, ECHO_FRAME
from websockets.sync.client import connect

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.fleet import Fleet
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.providers.provider import Provider

PARALLEL = 8  # containers that are being started at once: the fleet's own number
_POLL = 0.05  # seconds; each look costs the engine and this process time that the servers could use
_READY_TIMEOUT = 120.0


@dataclass
class Start:
    """How long a start took, in seconds.

    Attributes:
        total: Until every session had taken its first step.
        launched: For each container, from the wish for it until it ran and its port was known.
        ready: For each container, from the same on until its server answered.
    """

    total: float = 0.0
    launched: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)


class _Noting(DockerProvider):
    """Notes how long its start takes."""

    def __init__(self, start: Start) -> None:
        super().__init__(ready_timeout=_READY_TIMEOUT)
        self._start = start
        self._began = 0.0

    def start(self, spec: ServerSpec) -> Endpoint:
        self._began = time.perf_counter()
        endpoint = super().start(spec)
        self._start.ready.append(time.perf_counter() - self._began)
        return endpoint

    def run(self, name: str, spec: ServerSpec, environ: Mapping[str, str]) -> str:
        url = super().run(name, spec, environ)
        self._start.launched.append(time.perf_counter() - self._began)
        return url


def by_fleet(image: str, servers: int) -> Start:
    """A fleet of `DockerProvider`, and `RemoteVectorEnv` with a lane on each."""
    start = Start()
    return _by_fleet(start, lambda: _Noting(start), ServerSpec(image=image, name="echo"), servers)


def by_processes(app: str, servers: int) -> Start:
    """The same fleet of servers that are processes of this machine."""
    return _by_fleet(Start(), ProcessProvider(ready_timeout=_READY_TIMEOUT), ServerSpec(app=app), servers)


def _by_fleet(
    start: Start, provider: Provider | Callable[[], Provider], spec: ServerSpec, size: int
) -> Start:
    began = time.perf_counter()
    fleet = Fleet(provider, size, spec=spec, sessions_per_server=1, parallel_starts=PARALLEL, progress=False)
    with RemoteVectorEnv(provider=fleet, num_envs=size) as envs:
        envs.reset(seed=1)
        rewards = envs.step([ECHO] * size)[1]
        start.total = time.perf_counter() - began
    assert (rewards == len(ECHO["message"]) / 10).all()
    return start


def by_hand(image: str, servers: int) -> Start:
    """The program ``docker run``, a look at ``/health`` now and then, and a bare WebSocket."""
    start = Start()
    names: list[str] = []
    with ThreadPoolExecutor(min(PARALLEL, servers)) as pool:
        try:
            began = time.perf_counter()
            for done in [pool.submit(_start_by_hand, image, start, names) for _ in range(servers)]:
                done.result()
            start.total = time.perf_counter() - began
        finally:
            list(pool.map(lambda name: _docker("rm", "--force", "--volumes", name), names))
    return start


def _start_by_hand(image: str, start: Start, names: list[str]) -> None:
    began = time.perf_counter()
    name = _docker("run", "--detach", "--publish", "127.0.0.1::8000", image)
    names.append(name)
    address = _docker("port", name, "8000/tcp")
    start.launched.append(time.perf_counter() - began)
    while not _is_healthy(address):
        time.sleep(_POLL)
    start.ready.append(time.perf_counter() - began)
    with connect(f"ws://{address}/ws", compression=None, proxy=None) as socket:
        for frame in ('{"type":"reset","data":{}}', ECHO_FRAME):
            socket.send(frame)
            reply = json.loads(socket.recv())
        assert reply["data"]["reward"] == len(ECHO["message"]) / 10


def _is_healthy(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _docker(*arguments: str) -> str:
    done = subprocess.run(("docker", *arguments), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
