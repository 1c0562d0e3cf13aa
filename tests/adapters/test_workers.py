"""A vector environment on a server of several processes, of which it is told one URL."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from openenv_gym import ProcessProvider, RemoteVectorEnv
from openenv_gym.errors import UsageError

APP = "tests.adapters.whereabouts:app"
LANES = 8
WAIT = [{}] * LANES


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_lanes_are_on_all_processes_and_come_back_when_one_dies() -> None:
    with RemoteVectorEnv(provider=ProcessProvider(workers=2), server=APP, num_envs=LANES) as envs:
        first, _ = envs.reset(seed=1)
        homes = first["pid"].copy()
        assert set(first["siblings"]) == {""}, "what an environment starts is no sibling of its server"
        assert sorted(Counter(homes.tolist()).values()) == [LANES // 2, LANES // 2]
        victim = int(homes[0])
        os.kill(victim, signal.SIGKILL)
        _, rewards, terminations, truncations, infos = envs.step(WAIT)
        hit = homes == victim
        assert truncations.tolist() == hit.tolist()
        assert [bool(fault) for fault in infos["fault"]] == hit.tolist()
        assert not infos["reward_given"][hit].any()
        assert not (rewards.any() or terminations.any())
        back, *_, infos = envs.step(WAIT)
        assert not any(infos["fault"])
        assert (back["pid"][~hit] == homes[~hit]).all()
        assert not np.isin(victim, back["pid"])
        *_, truncations, infos = envs.step(WAIT)
        assert not (truncations.any() or any(infos["fault"])), "one fault a lane"
        pids = {*homes.tolist(), *back["pid"].tolist()}
    while any(map(exists, pids)):
        time.sleep(0.02)


def test_workers_of_the_server_by_default() -> None:
    with RemoteVectorEnv(server=APP, num_envs=2, workers=2) as two, RemoteVectorEnv(server=APP) as one:
        pids = {*two.reset(seed=1)[0]["pid"].tolist(), *one.reset(seed=1)[0]["pid"].tolist()}
        assert len(pids) == 3


def test_workers_of_servers_that_run_already_are_refused() -> None:
    with pytest.raises(UsageError, match="--workers"):
        RemoteVectorEnv("http://127.0.0.1:1", num_envs=2, workers=2)
