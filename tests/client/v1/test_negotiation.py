"""Which dialect is spoken: by agreement with each server, remembered, or as the user insists."""

from __future__ import annotations

import asyncio

import pytest

from openenv_gym.client.dialects import DialectConnector
from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import NotSupportedError, ServerUnreachableError, UsageError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request
from openenv_gym.wire.v1.codecs import SUBPROTOCOLS
from tests.client.dialect_server import DialectServer
from tests.client.v1.machine_server import MachineServer, MemoryDial
from tests.client.virtual_time import virtual_time

RESET = Request(Op.RESET)


def sessions(connector: DialectConnector, count: int) -> list[RemoteSession]:
    return [RemoteSession(connector, Endpoint("a")) for _ in range(count)]


async def reset_all(those: list[RemoteSession]) -> None:
    assert all(isinstance(one, Outcome) for one in await asyncio.gather(*(s.call(RESET, 5.0) for s in those)))


async def close_all(those: list[RemoteSession]) -> None:
    await asyncio.gather(*(session.close() for session in those))


@virtual_time
async def test_a_server_without_v1_is_spoken_to_on_the_socket_that_asked() -> None:
    server = DialectServer()
    dial = MemoryDial(a=server)
    those = sessions(DialectConnector(dial), 5)
    await reset_all(those)
    assert server.opened == 5
    assert dial.dialled == [SUBPROTOCOLS, (), (), (), ()], "asked once, and no socket was wasted"
    await close_all(those)
    assert server.live == 0
    await reset_all(again := sessions(those[0]._connector, 1))  # type: ignore[arg-type]
    assert dial.dialled[5:] == [()], "the answer is remembered"
    await close_all(again)


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
@virtual_time
async def test_whatever_encoding_the_server_chooses(subprotocol: str) -> None:
    server = MachineServer(speaks=[subprotocol])
    dial = MemoryDial(a=server)
    those = sessions(DialectConnector(dial), 3)
    await reset_all(those)
    await server.cut()
    await reset_all(those)
    assert dial.dialled == [SUBPROTOCOLS, (subprotocol,)]
    assert server.opened == 3
    await close_all(those)


@virtual_time
async def test_insisting_on_openenv_offers_nothing() -> None:
    dial = MemoryDial(a=DialectServer())
    those = sessions(DialectConnector(dial, "openenv"), 2)
    await reset_all(those)
    assert dial.dialled == [(), ()]
    await close_all(those)


@virtual_time
async def test_insisting_on_v1_refuses_a_server_without_it() -> None:
    server = DialectServer()
    (session,) = sessions(DialectConnector(MemoryDial(a=server), "v1"), 1)
    with pytest.raises(NotSupportedError, match=r"does not speak openenv-gym\.v1"):
        await session.call(RESET, 5.0)
    await asyncio.sleep(1)
    assert server.live == 0
    await session.close()


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(UsageError, match="auto, openenv, v1"):
        DialectConnector(MemoryDial(), "latin")  # type: ignore[arg-type]


@virtual_time
async def test_all_who_wait_hear_that_nobody_is_there_and_the_next_asks_again() -> None:
    dial = MemoryDial()
    those = sessions(DialectConnector(dial), 4)
    failures = await asyncio.gather(*(s.call(RESET, 5.0) for s in those), return_exceptions=True)
    assert [type(failure) for failure in failures] == [ServerUnreachableError] * 4
    assert len(dial.dialled) == 1
    dial.servers["a"] = MachineServer()
    await reset_all(those)
    await close_all(those)


@virtual_time
async def test_who_gives_up_the_negotiation_leaves_no_connection() -> None:
    server = DialectServer()
    connector = DialectConnector(MemoryDial(a=server))
    for pause in (0.0, 0.0005, 0.001):
        (session,) = sessions(connector, 1)
        opening = asyncio.create_task(session.connect())
        await asyncio.sleep(pause)
        await session.close()
        await asyncio.gather(opening, return_exceptions=True)
        await asyncio.sleep(1)
        assert server.live == 0


@virtual_time
async def test_a_server_replaced_by_one_without_v1_is_a_fault_once_its_lease_is_over() -> None:
    dial = MemoryDial(a=MachineServer())
    (session,) = sessions(DialectConnector(dial), 1)
    await reset_all([session])
    old, dial.servers["a"] = dial.servers["a"], DialectServer()
    assert isinstance(old, MachineServer)
    await old.cut()
    await asyncio.sleep(200)
    await reset_all([session])
    assert dial.servers["a"].opened > 1
    await session.close()
