"""Servers are killed, drained, frozen and started again while users play.

Across a server's death each session's transcript is a prefix of the undisturbed one and ends in exactly one
reported fault. A server that only was frozen has lived on, and nobody notices.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openenv_gym import RemoteVectorEnv
from tests.client.patience import wait_until
from tests.faults import players
from tests.faults.chain import Pull
from tests.faults.chain_server import PATIENCE, ChainServer
from tests.faults.leaks import nothing_left_behind
from tests.faults.misbehaving_proxy import Fault, MisbehavingProxy
from tests.faults.schedule import choose_seed
from tests.faults.storm import playing
from tests.faults.transcript import Transcript, check

Serve = Callable[..., ChainServer]


pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    servers: list[ChainServer] = []

    def start(execution: str, capacity: int, **settings: str) -> ChainServer:
        directory = tmp_path / str(len(servers))
        directory.mkdir()
        servers.append(ChainServer(execution, directory, capacity=capacity, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def groups_of(connections: int, sessions: int) -> list[list[Transcript]]:
    return [
        [Transcript(f"{connection}-{session}") for session in range(sessions)]
        for connection in range(connections)
    ]


def everybody_goes_on(transcripts: list[Transcript]) -> None:
    """Wait until every session has been answered a few times more."""
    goals = [(transcript, transcript.answered + 5) for transcript in transcripts]
    wait_until(lambda: all(transcript.answered >= goal for transcript, goal in goals), PATIENCE)


@pytest.mark.parametrize(
    ("player", "execution", "connections", "sessions"),
    [
        pytest.param(players.lockstep, "inline", 4, 16, id="lockstep-inline"),
        pytest.param(players.as_they_come, "thread", 8, 8, id="as-they-come-thread"),
        pytest.param(players.clients, "asynchronous", 16, 4, id="clients-async"),
    ],
)
def test_a_servers_end_is_one_fault_a_session(
    player: players.Player, execution: str, connections: int, sessions: int, serve: Serve
) -> None:
    seed = choose_seed()
    rng = random.Random(seed)
    groups = groups_of(connections, sessions)
    everybody = [transcript for group in groups for transcript in group]
    server = serve(execution, len(everybody))
    with playing(player, server.base_url, groups, seed):
        everybody_goes_on(everybody)
        for end in (server.kill, server.drain):
            time.sleep(rng.uniform(0, 0.1))
            end()
            server.start()
            everybody_goes_on(everybody)
    for transcript in everybody:
        assert [life.ended_well for life in transcript.lives][:-1] == [True, True], transcript.name
        ran = server.executed(transcript.name)  # at each end, one call's outcome may be unknown
        assert transcript.answered <= ran <= transcript.answered + 2, transcript.name
    check(everybody, server.base_url)


def test_a_frozen_server_has_not_ended(serve: Serve) -> None:
    seed = choose_seed()
    groups = groups_of(8, 8)
    everybody = [transcript for group in groups for transcript in group]
    server = serve("asynchronous", len(everybody))
    with nothing_left_behind(server):
        with playing(players.as_they_come, server.base_url, groups, seed):
            for seconds in (0.1, 0.3, players.OUTAGE_TIMEOUT / 2):  # the last beyond silence
                everybody_goes_on(everybody)
                server.freeze()
                time.sleep(seconds)
                server.thaw()
            everybody_goes_on(everybody)
        for transcript in everybody:
            assert [life.fault for life in transcript.lives] == [None], transcript.name
            assert transcript.answered == server.executed(transcript.name)
        check(everybody, server.base_url)


def test_lanes_leave_a_server_that_stays_dead(serve: Serve) -> None:
    doomed, healthy = serve("inline", 8), serve("inline", 8)
    urls = [doomed.base_url, healthy.base_url]
    with RemoteVectorEnv(urls, num_envs=8, step_timeout=600.0, outage_timeout=1.0) as envs:
        envs.reset(seed=1)
        doomed.kill()
        infos = envs.step([Pull(token=1)] * 8)[4]
        assert sum(bool(fault) for fault in infos["fault"]) == 4
        envs.step([Pull(token=1)] * 8)
        assert not any(envs.step([Pull(token=1)] * 8)[4]["fault"])
    assert healthy.free_slots() == 8


def test_workers_of_a_killed_server_end_too(serve: Serve) -> None:
    server = serve("process", 3)
    with RemoteVectorEnv(server.base_url, num_envs=3) as envs:
        envs.reset(seed=1)
        workers = server.children()
        assert len(workers) >= 3
        server.kill()
        wait_until(lambda: not any(Path("/proc", str(pid)).exists() for pid in workers))
        server.start()
        assert envs.step([Pull(token=1)] * 3)[3].all()
        envs.step([Pull(token=1)] * 3)


def test_leases_hold_what_was_cut_and_not_what_is_merely_stalled(serve: Serve) -> None:
    server = serve("inline", 4, OPENENV_GYM_LEASE="0.5")
    with nothing_left_behind(server), MisbehavingProxy(server.base_url) as proxy:
        envs = RemoteVectorEnv(proxy.base_url, num_envs=4, outage_timeout=1.0)
        envs.reset(seed=1)
        assert proxy.run(_inflict(proxy, Fault.STALL, 1.5))
        time.sleep(1.5)
        assert envs.step([Pull(token=1)] * 4)[0]["calls"].tolist() == [2] * 4
        proxy.refuse()
        assert proxy.run(_inflict(proxy, Fault.RESET))
        assert server.free_slots() == 0
        wait_until(lambda: server.free_slots() == 4)
        envs.close()


async def _inflict(proxy: MisbehavingProxy, fault: Fault, seconds: float = 0.0) -> bool:
    return proxy.inflict(fault, seconds)
