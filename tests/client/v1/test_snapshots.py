"""Snapshots, restores and forks from a client's side: over memory in virtual time, and on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from openenv_gym.client.dialects import DialectConnector
from openenv_gym.client.generic_client import GenericEnvClient
from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import (
    CapacityError,
    ClosedError,
    NotResetError,
    NotSupportedError,
    SessionLostError,
    SnapshotLostError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.server import create_app
from openenv_gym.wire.messages import Op, Outcome, Request, SnapshotReply
from tests.client.dialect_server import DialectServer
from tests.client.v1.machine_server import MachineServer, MemoryDial
from tests.client.virtual_time import virtual_time
from tests.proxy import Proxy
from tests.server.sample_environments import Gambler, Heard, InlineGambler, Parrot, ProcessGambler, Say
from tests.server.talk import active, wait_until
from tests.servers import LiveServer

RESET = Request(Op.RESET)
Serve = Callable[..., LiveServer]


def session_at(server: MachineServer | DialectServer) -> RemoteSession:
    return RemoteSession(DialectConnector(MemoryDial(a=server)), Endpoint("a"), connect_timeout=10.0)


def offering(*features: str, **terms: Any) -> MachineServer:
    return MachineServer(features=features, **terms)


async def steps(session: RemoteSession, say: str = "x", **action: Any) -> int:
    reply = await session.call(Request(Op.STEP, {"say": say, **action}), 5.0)
    assert isinstance(reply, Outcome)
    return int(reply.observation["steps"])


async def taken(session: RemoteSession) -> str:
    reply = await session.call(Request(Op.SNAPSHOT), 5.0)
    assert isinstance(reply, SnapshotReply)
    return reply.handle


@virtual_time
async def test_a_fork_is_a_session_of_its_own() -> None:
    server = offering("snapshot", "fork")
    session = session_at(server)
    await session.call(RESET, 5.0)
    assert await steps(session) == 1
    handle = await taken(session)
    running = asyncio.create_task(steps(session, do="sleep", seconds=3.0))
    await asyncio.sleep(1.0)
    twin = await session.fork(handle, 5.0)
    assert not running.done(), "a call that runs hinders no fork"
    assert (await steps(twin), await running, await steps(twin)) == (2, 2, 3)
    await session.call(Request(Op.RESTORE, {"snapshot": handle}), 5.0)
    assert await steps(session) == 2
    await session.close()
    assert await steps(twin) == 4
    assert (server.connections, server.live) == (1, 1)
    await twin.close()
    assert server.live == 0


@virtual_time
async def test_a_cut_neither_loses_nor_repeats_them() -> None:
    server = offering("snapshot", "fork")
    session = session_at(server)
    await session.call(RESET, 5.0)
    server.stalled = True  # they run, and their answers are lost
    taking = asyncio.create_task(taken(session))
    await asyncio.sleep(1.0)
    server.stalled = False
    await server.cut()
    handle = await taking
    assert server.ran["snapshot"] == 1
    server.stalled = True
    forking = asyncio.create_task(session.fork(handle, 20.0))
    await asyncio.sleep(1.0)
    server.stalled = False
    await server.cut()
    twin = await forking
    assert (server.opened, await steps(twin)) == (2, 1)
    await twin.close()
    await session.close()
    assert server.live == 0


@virtual_time
async def test_what_is_not_offered_says_so_and_changes_nothing() -> None:
    for server, fits in ((offering(), "offers no snapshot"), (DialectServer(), "needs openenv-gym.v1")):
        session = session_at(server)
        await session.call(RESET, 5.0)
        with pytest.raises(NotSupportedError, match=fits):
            await taken(session)
        with pytest.raises(NotSupportedError):
            await session.call(Request(Op.RESTORE, {"snapshot": "x"}), 5.0)
        with pytest.raises(NotSupportedError, match="fork"):
            await session.fork("x", 5.0)
        assert isinstance(await session.call(Request(Op.STEP, {"message": "x", "say": "x"}), 5.0), Outcome)
        await session.close()


@virtual_time
async def test_a_session_that_is_not_there_cannot_be_forked() -> None:
    server = offering("snapshot", "fork")
    session = session_at(server)
    with pytest.raises(NotResetError, match="call reset"):
        await session.fork("x", 5.0)
    await session.call(RESET, 5.0)
    handle = await taken(session)
    twin = await session.fork(handle, 5.0)
    await server.restart()
    for one in (session, twin):
        with pytest.raises(SessionLostError):
            await steps(one)
        with pytest.raises(SessionLostError):
            await one.fork(handle, 5.0)
    await twin.call(RESET, 20.0)
    assert await steps(twin) == 1, "a fork begins anew as any session does"
    for one in (session, twin):
        await one.close()
    with pytest.raises(ClosedError):
        await twin.fork(handle, 5.0)


# --- clients on real servers ---------------------------------------------------------------------------


@pytest.mark.parametrize("env", [InlineGambler, Gambler, ProcessGambler])
async def test_clients_go_back_and_fork(live_server: Serve, env: type) -> None:
    server = live_server(create_app(env, Say, Heard, max_concurrent_envs=3))
    async with GenericEnvClient(server.base_url, connect_timeout_s=2.0) as client:
        with pytest.raises(NotResetError):
            await client.snapshot()
        await client.reset(seed=4)
        snapshot = await client.snapshot()
        first = (await client.step({"message": "a"})).observation
        await client.restore(snapshot)
        assert (await client.step({"message": "a"})).observation == first
        fork, now = await client.fork(snapshot), await client.fork()
        assert (await fork.step({"message": "a"})).observation == first
        assert (await now.step({"message": "b"})) == (await client.step({"message": "b"}))
        with pytest.raises(SnapshotLostError, match="another session's"):
            await fork.restore(snapshot)
        assert (await fork.state())["step_count"] == 1
        with pytest.raises(CapacityError):
            await now.new_session()
        await fork.close()
        await fork.close()
        assert active(server) == 2
    assert active(server) == 0


def test_synchronous_clients_go_back_and_fork_through_cuts(live_server: Serve) -> None:
    server = live_server(create_app(InlineGambler, Say, Heard))
    with Proxy(server.base_url) as proxy, GenericEnvClient(proxy.base_url).sync() as client:
        client.reset(seed=4)
        proxy.cut()
        snapshot = client.snapshot()
        first = client.step({"message": "a"})
        forks = []
        for _ in range(3):
            proxy.cut()
            client.restore(snapshot)
            proxy.cut()
            assert client.step({"message": "a"}) == first
            proxy.cut()
            forks.append(client.fork(snapshot))
            proxy.cut()
        assert [fork.step({"message": "a"}) for fork in forks] == [first] * 3
        assert active(server) == 4
        forks[0].close()
        assert active(server) == 3
    wait_until(lambda: active(server) == 0)


def test_a_server_that_offers_none(live_server: Serve) -> None:
    server = live_server(create_app(Parrot, Say, Heard))
    with GenericEnvClient(server.base_url).sync() as client:
        client.reset()
        for call in (client.snapshot, client.fork, lambda: client.restore("x")):
            with pytest.raises(NotSupportedError, match=r"Restorable"):
                call()
        assert client.step({"message": "a"}).observation["echo"] == "a"
