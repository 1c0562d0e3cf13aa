"""A program that is interrupted by Ctrl-C (SIGINT) again and again while it steps, and goes on after a reset.

Run as ``python -m tests.faults.interrupted URL TIMES SEED``: a test's own process would not survive a
stray signal.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable

from openenv_gym import RemoteEnv, RemoteVectorEnv
from openenv_gym.client.generic_client import GenericEnvClient
from tests.faults.chain import Pull

LANES = 8
HELD_UP = 30.0  # seconds; more is a hang


def interrupted(function: Callable[[], object], rng: random.Random) -> None:
    """Call a function over and over until one SIGINT has struck."""

    def strike() -> None:
        time.sleep(rng.uniform(0, 0.01))
        os.kill(os.getpid(), signal.SIGINT)

    killer = threading.Thread(target=strike)
    try:
        killer.start()
        while True:
            function()
    except KeyboardInterrupt:
        killer.join()


def check_digests(calls: list[int], before: list[int]) -> None:
    assert calls == [count + 1 for count in before], (calls, before)


def lockstep(url: str, times: int, rng: random.Random) -> None:
    with RemoteVectorEnv(url, num_envs=LANES, step_timeout=HELD_UP, reset_timeout=HELD_UP) as envs:
        for _ in range(times):
            before, _ = envs.reset(seed=1)
            for _ in range(3):
                batch = envs.step([Pull(token=1)] * LANES)
                assert not any(batch[4]["fault"]), batch[4]["fault"]
                check_digests(batch[0]["calls"].tolist(), before["calls"].tolist())
                before = batch[0]
            interrupted(lambda: envs.step([Pull(token=1, nap=rng.choice([0, 0.001]))] * LANES), rng)


def partial(url: str, times: int, rng: random.Random) -> None:
    with RemoteVectorEnv(url, num_envs=LANES, step_timeout=HELD_UP, reset_timeout=HELD_UP) as envs:

        def exchange() -> None:
            ready = envs.recv(min_envs=1)[4]["env_id"].tolist()
            envs.send([Pull(token=1, nap=rng.choice([0, 0.001]))] * len(ready), ready)

        for _ in range(times):
            before, _ = envs.reset(seed=1)
            batch = envs.step([Pull(token=1)] * LANES)
            check_digests(batch[0]["calls"].tolist(), before["calls"].tolist())
            envs.send([Pull(token=1)] * LANES, range(LANES))
            interrupted(exchange, rng)


def alone(url: str, times: int, rng: random.Random) -> None:
    with RemoteEnv(url, step_timeout=HELD_UP, reset_timeout=HELD_UP) as env:
        for _ in range(times):
            before, _ = env.reset(seed=1, options={"endless": True})
            for _ in range(3):
                observation, *_ = env.step(Pull(token=1))
                check_digests([int(observation["calls"])], [int(before["calls"])])
                before = observation
            interrupted(lambda: env.step(Pull(token=1)), rng)


def client(url: str, times: int, rng: random.Random) -> None:
    """Two sessions of one connection, and only one of them is interrupted."""
    with GenericEnvClient(url, message_timeout_s=HELD_UP).sync() as one, one.new_session() as other:
        calls = other.reset(seed=1, endless=True).observation["calls"]
        for _ in range(times):
            before = one.reset(seed=1, endless=True).observation["calls"]
            assert one.step({"token": 1}).observation["calls"] == before + 1
            interrupted(lambda: one.step({"token": 1}), rng)
            calls += 1
            assert other.step({"token": 1}).observation["calls"] == calls


if __name__ == "__main__":
    url, times, seed = sys.argv[1:]
    for face in (lockstep, partial, alone, client):
        print(face.__name__, flush=True)
        face(url, int(times), random.Random(int(seed)))
