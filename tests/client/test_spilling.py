"""A single session goes to the server that was asked for, and to a sibling only when that one is full."""

from __future__ import annotations

import asyncio

import pytest

from openenv_gym.client.dialects import DialectConnector
from openenv_gym.client.session import RemoteSession
from openenv_gym.client.spilling import SpillingConnector
from openenv_gym.errors import CapacityError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.client.test_scout import Host
from tests.client.v1.machine_server import MachineServer
from tests.client.virtual_time import now, virtual_time

RESET = Request(Op.RESET)


class Opener:
    """Opens sessions at the first server of a host, all with one connector."""

    def __init__(self, host: Host) -> None:
        self._connector = SpillingConnector(DialectConnector(host.dial))
        self.sessions: list[RemoteSession] = []

    async def __call__(self) -> None:
        session = RemoteSession(self._connector, Endpoint("http://host:1"), connect_timeout=5.0)
        self.sessions.append(session)
        assert isinstance(await session.call(RESET, 5.0), Outcome)

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self.sessions))
        await asyncio.sleep(5)


@virtual_time
async def test_siblings_take_what_does_not_fit() -> None:
    host = Host(2, 2)
    opened = Opener(host)
    began = now()
    for live in ([1, 0], [2, 0], [2, 1], [2, 2]):
        await opened()
        assert host.live == live
    assert now() - began < 1.0
    with pytest.raises(CapacityError):
        await opened()
    await opened.close()
    assert host.connections == 0


@virtual_time
async def test_neither_the_dead_nor_strangers_are_siblings(caplog: pytest.LogCaptureFixture) -> None:
    host = Host(1, 5, 5)
    del host.dial.servers["http://host:2"]
    host.dial.servers["http://host:3"] = stranger = MachineServer(group="another")
    opened = Opener(host)
    await opened()
    with pytest.raises(CapacityError):
        await opened()
    assert "the sibling at http://host:2 cannot be used" in caplog.text
    assert stranger.opened == 0
    await opened.close()
    assert host.connections == 0
