"""What the end of one of a fleet's servers costs those who step sessions there, and those who step others."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import docker
import numpy as np
from contenders import ECHO

from openenv_gym.adapters.remote_vector_env import RemoteVectorEnv
from openenv_gym.client.fleet import Fleet, ServerPhase
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import ServerSpec

_ROOM = 2  # times as many sessions as a server has: those of a lost one find place on the others
_PAUSE = 0.01  # seconds between turns: an agent that thinks, and leaves processors to the new server
_CALM = 2.0  # seconds, at least, of undisturbed steps, for comparison
_PATIENCE = 120.0  # seconds until something is to hold; only what is broken takes them
_READY_TIMEOUT = 120.0


@dataclass(frozen=True)
class Recovery:
    """Seconds from the order to kill.

    Attributes:
        truncated: Until the last lane of the lost server was told.
        stepping: Until each of them had taken a step somewhere else.
        whole: Until the fleet had as many servers as before.
        stall: The longest that any other lane waited for an answer until then.
        calm: The longest that any lane waited in two to three seconds before.
    """

    truncated: float
    stepping: float
    whole: float
    stall: float
    calm: float


class Lanes:
    """Echo sessions that are stepped as they become ready.

    Args:
        fleet: Where they run.
        client: The engine of the fleet's containers.
        envs: Them.
    """

    def __init__(self, fleet: Fleet, client: docker.DockerClient, envs: RemoteVectorEnv) -> None:
        self._fleet = fleet
        self._client = client
        self._envs = envs
        envs.reset(seed=1)
        self._forget()
        self._sent_at = np.zeros(envs.num_envs)
        self._send(np.arange(envs.num_envs))

    def _forget(self) -> None:
        count = self._envs.num_envs
        self._longest = np.zeros(count)  # seconds that each has waited for an answer
        self._truncated_at = np.full(count, np.nan)
        self._stepped_at = np.full(count, np.nan)  # after that

    def kill_one(self) -> Recovery:
        """Kill a container in mid-episode, and go on until the fleet is whole and every lane steps."""
        self._forget()
        calm_until = time.perf_counter() + _CALM + random.random()  # out of step with the fleet's looks
        self._play(lambda: time.perf_counter() >= calm_until and self._is_whole())
        calm = float(self._longest.max())
        self._forget()
        restarts = self._restarts()
        victim = self._container(self._fleet.status()[-1].url)
        killer = threading.Thread(target=victim.kill)
        began = time.perf_counter()
        killer.start()
        self._play(lambda: self._restarts() > restarts and self._is_whole())
        whole = time.perf_counter() - began
        killer.join()
        hit = ~np.isnan(self._truncated_at)
        stall = float(self._longest[~hit].max())
        self._play(lambda: not np.isnan(self._stepped_at[hit]).any())
        return Recovery(
            truncated=float(self._truncated_at[hit].max()) - began,
            stepping=float(self._stepped_at[hit].max()) - began,
            whole=whole,
            stall=stall,
            calm=calm,
        )

    def _play(self, until: Callable[[], bool]) -> None:
        give_up_at = time.perf_counter() + _PATIENCE
        while not until():
            assert time.perf_counter() < give_up_at, f"it does not come to pass: {self._fleet.status()}"
            self._take()
            time.sleep(_PAUSE)

    def _send(self, lanes: np.ndarray) -> None:
        self._sent_at[lanes] = time.perf_counter()
        self._envs.send([ECHO] * len(lanes), lanes)

    def _take(self) -> None:
        _, rewards, _, truncations, infos = self._envs.recv(timeout=_PATIENCE)
        now, lanes = time.perf_counter(), infos["env_id"]
        self._longest[lanes] = np.maximum(self._longest[lanes], now - self._sent_at[lanes])
        self._truncated_at[lanes[truncations]] = now
        stepped = lanes[
            (rewards > 0) & ~np.isnan(self._truncated_at[lanes]) & np.isnan(self._stepped_at[lanes])
        ]
        self._stepped_at[stepped] = now
        self._send(lanes)

    def _restarts(self) -> int:
        return sum(server.restarts for server in self._fleet.status())

    def _is_whole(self) -> bool:
        return all(server.state is ServerPhase.READY for server in self._fleet.status())

    def _container(self, url: str) -> docker.models.containers.Container:
        port = str(urlsplit(url).port)
        for container in self._client.containers.list():
            if any(each["HostPort"] == port for bound in container.ports.values() for each in bound or ()):
                return container
        raise LookupError(f"no container publishes port {port}")


def measure_recovery(
    client: docker.DockerClient, image: str, *, servers: int, sessions: int, rounds: int
) -> list[Recovery]:
    """Kill one of a fleet's containers, again and again.

    Args:
        client: The engine.
        image: Echo's.
        servers: How many containers.
        sessions: How many on each.
        rounds: How often.
    """
    fleet = Fleet(
        DockerProvider(ready_timeout=_READY_TIMEOUT),
        servers,
        spec=ServerSpec(image=image, name="echo"),
        sessions_per_server=_ROOM * sessions,
        progress=False,
    )
    recoveries = []
    with fleet:
        for _ in range(rounds):
            with RemoteVectorEnv(provider=fleet, num_envs=servers * sessions) as envs:
                recoveries.append(Lanes(fleet, client, envs).kill_one())
    return recoveries
