"""Environments over a fleet of real server processes: they are killed and frozen, and the rest goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openenv_gym import Fleet, RemoteEnv, RemoteVectorEnv
from openenv_gym.client.fleet import BreakerRules, HealthRules
from openenv_gym.client.pool import SessionPool
from openenv_gym.errors import NoHealthyServerError, SessionLostError, UsageError
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.adapters.corridor import CorridorAction
from tests.client.patience import wait_until

APP = "tests.adapters.corridor:app"
STAY = CorridorAction(direction="stay")
QUICK = HealthRules(look_interval=0.1, interval=0.3, timeout=4.0, misses=2)
HELD_UP = 60.0  # seconds; more is a hang


class Made:
    """A factory of providers that remembers them, and what their servers are."""

    def __init__(self) -> None:
        self.providers: list[ProcessProvider] = []

    def __call__(self) -> ProcessProvider:
        self.providers.append(ProcessProvider(stop_grace=1.0))
        return self.providers[-1]

    @property
    def running(self) -> int:
        return sum(provider.running for provider in self.providers)

    def strike(self, number: int, sign: signal.Signals) -> None:
        """Send a signal to the server itself, past its guard."""
        guard = self.providers[number].pid
        server = Path(f"/proc/{guard}/task/{guard}/children").read_text().split()[0]
        os.kill(int(server), sign)


@pytest.fixture
def made() -> Iterator[Made]:
    made = Made()
    yield made
    assert made.running == 0


def sessions(fleet: Fleet) -> list[int]:
    return sorted(one.sessions for one in fleet.status())


def is_whole(fleet: Fleet, lanes: int) -> bool:
    return all(one.state == "ready" for one in fleet.status()) and sum(sessions(fleet)) == lanes


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_lanes_on_a_lost_server_are_truncated_and_the_others_never_notice(
    made: Made, sign: signal.Signals
) -> None:
    lanes = 6
    fleet = Fleet(made, 2, sessions_per_server=3, health=QUICK)
    with RemoteVectorEnv(
        provider=fleet, server=APP, num_envs=lanes, step_timeout=HELD_UP, reset_timeout=HELD_UP
    ) as envs:
        envs.reset(seed=1, options={"length": 90})
        wait_until(lambda: sessions(fleet) == [3, 3])
        steps, faults, resets = np.zeros(lanes, int), np.full(lanes, "", object), np.zeros(lanes, int)
        envs.send([STAY] * lanes, range(lanes))
        made.strike(1, sign)
        steps_of_others = 0
        while np.count_nonzero(faults) < 3 or resets[faults != ""].min() < 1 or not is_whole(fleet, lanes):
            _, rewards, terminations, truncations, infos = envs.recv(1, HELD_UP)
            ready = infos["env_id"]
            for row, lane in enumerate(ready):
                if infos["fault"][row]:
                    assert faults[lane] == "", "once is enough"
                    assert truncations[row]
                    assert not terminations[row]
                    assert rewards[row] == 0.0
                    assert not infos["reward_given"][row]
                    faults[lane] = infos["fault"][row]
                elif faults[lane]:
                    resets[lane] += 1
                else:
                    steps_of_others += np.count_nonzero(faults) == 0
                steps[lane] += 1
            envs.send([STAY] * len(ready), ready)
        assert np.count_nonzero(faults) == 3
        assert all("SessionLostError: the server tests-1 is gone" in fault for fault in faults if fault)
        assert steps_of_others > lanes, "nobody waited for the server that was lost"
        assert sum(one.restarts for one in fleet.status()) == 1
        envs.reset(seed=1)
        assert sessions(fleet) == [3, 3]
    assert made.running == 0


def test_lanes_wait_for_a_replacement_and_one_environment_says_so(made: Made) -> None:
    fleet = Fleet(made, 1, health=QUICK)
    with RemoteEnv(provider=fleet, server=APP, reset_timeout=HELD_UP) as env:
        env.reset(seed=1)
        made.strike(0, signal.SIGKILL)
        with pytest.raises(SessionLostError):
            while True:
                env.step(STAY)
        env.reset(seed=1)
        env.step(STAY)
    assert len(made.providers) == 2


async def test_a_fleet_that_runs_already_is_shared_and_left_running(made: Made) -> None:
    with Fleet(made, 1, spec=ServerSpec(APP), sessions_per_server=4) as fleet:
        with RemoteVectorEnv(provider=fleet, num_envs=2) as envs, RemoteEnv(provider=fleet) as env:
            envs.reset(seed=1)
            env.reset(seed=1)
            with SessionPool(fleet, 1) as pool:
                pool.submit([(0, Request(Op.RESET))], HELD_UP)
                ((_, result),) = await pool.acollect(1, HELD_UP)
                assert isinstance(result, Outcome)
                assert sessions(fleet) == [4]
            with pytest.raises(UsageError, match="5 sessions do not fit into 1 servers of 4"):
                RemoteVectorEnv(provider=fleet, num_envs=5)
            wait_until(lambda: sessions(fleet) == [3])
        wait_until(lambda: sessions(fleet) == [0])
        assert made.running == 1


def test_a_fleet_grows_when_lanes_wait_for_a_place(made: Made) -> None:
    fleet = Fleet(made, 1, sessions_per_server=2, max_size=2, scale_up_after=0.2)
    with RemoteVectorEnv(provider=fleet, server=APP, num_envs=4, reset_timeout=HELD_UP) as envs:
        envs.reset(seed=1)
        wait_until(lambda: sessions(fleet) == [2, 2])


def test_servers_that_fail_every_session_are_replaced_once_then_the_reason_is_told(made: Made) -> None:
    rules = BreakerRules(failures=4, servers=2, pause=600.0)
    fleet = Fleet(made, 1, breaker=rules, health=QUICK)
    options: dict[str, Any] = {"num_envs": 2, "reset_timeout": HELD_UP}
    with RemoteVectorEnv(provider=fleet, server="tests.adapters.broken_app:app", **options) as envs:
        envs.reset(seed=1)
        with pytest.raises(NoHealthyServerError, match="the disk is gone"):
            while True:
                envs.step([{"text": ""}] * 2)
        assert len(made.providers) == 2
        assert [one.state for one in fleet.status()] == ["broken"]
        with pytest.raises(NoHealthyServerError, match="every server fails"):
            envs.reset()
