"""One URL, several servers: lanes find them by their greetings and go where there is room."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from openenv_gym.client.balancer import Balancer
from openenv_gym.client.dialects import DialectConnector
from openenv_gym.client.lane import Lane
from openenv_gym.client.roster import Roster
from openenv_gym.errors import NoHealthyServerError, SessionLostError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.client.dialect_server import DialectServer
from tests.client.v1.machine_server import MachineServer, MemoryDial
from tests.client.virtual_time import now, virtual_time

RESET = Request(Op.RESET)
STEP = Request(Op.STEP, {"say": "x"})


class Host:
    """Servers on ports 1, 2, ... of a host, each of which names the others, and a pool's lanes.

    Attributes:
        servers: By port.
    """

    def __init__(self, *capacities: int, group: str = "g") -> None:
        ports = range(1, len(capacities) + 1)
        self.servers = {
            port: MachineServer(capacity=capacity, siblings=tuple(p for p in ports if p != port), group=group)
            for port, capacity in zip(ports, capacities, strict=True)
        }
        self.dial = MemoryDial(**{f"http://host:{port}": server for port, server in self.servers.items()})

    @property
    def live(self) -> list[int]:
        """Sessions on each server."""
        return [server.live for server in self.servers.values()]

    def lanes(self, count: int, *urls: str) -> list[Lane]:
        loop = asyncio.get_running_loop()
        self.balancer = Balancer(
            [Endpoint(url) for url in urls or ("http://host:1",)], clock=loop.time, jitter=lambda: 0.0
        )
        connector = DialectConnector(self.dial)
        self.roster = Roster(connector, (), sessions=count, timeout=10.0, balancer=self.balancer)
        return [Lane(self.roster, connect_timeout=10.0, open_timeout=60.0) for _ in range(count)]

    @property
    def connections(self) -> int:
        """Connections that stand."""
        return sum(len(server._ends) for server in self.servers.values())


async def ask(lanes: list[Lane], request: Request, timeout: float = 30.0) -> list[Any]:
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in lanes]
    for lane, future in zip(lanes, futures, strict=True):
        lane.start(request, timeout, future.set_result)
    return await asyncio.gather(*futures)


async def reset(lanes: list[Lane]) -> None:
    assert {type(result) for result in await ask(lanes, RESET)} == {Outcome}


async def close(host: Host, lanes: list[Lane]) -> None:
    """Close the lanes and see that nothing is left of them."""
    await asyncio.gather(*(lane.close() for lane in lanes))
    await asyncio.sleep(5)
    assert sum(host.live) == 0
    assert host.connections == 0
    assert {site.sessions for site in host.balancer.sites} == {0}


@virtual_time
async def test_one_url_uses_all_servers_from_the_first_batch() -> None:
    host = Host(100, 100, 100)
    lanes = host.lanes(12)
    await reset(lanes)
    assert host.live == [4, 4, 4]
    assert {type(result) for result in await ask(lanes, STEP)} == {Outcome}
    await reset(lanes)
    assert [server.opened for server in host.servers.values()] == [4, 4, 4]
    await close(host, lanes)


@virtual_time
async def test_sessions_go_where_slots_are_free() -> None:
    host = Host(10, 10, 10)
    lanes = host.lanes(9)
    host.servers[2].machine.occupy(10)
    host.servers[3].machine.occupy(5)
    await reset(lanes)
    assert host.live == [6, 0, 3]
    await close(host, lanes)


@virtual_time
async def test_a_full_server_holds_nobody_up_while_another_has_room() -> None:
    host = Host(2, 2)
    first = host.lanes(2, "http://host:1")
    await reset(first)
    second = host.lanes(2)
    began = now()
    await reset(second)
    assert now() - began < 1.0
    assert host.live == [2, 2]
    await asyncio.gather(*(lane.close() for lane in first))
    await close(host, second)


@virtual_time
async def test_slots_that_others_took_meanwhile_are_waited_for_once() -> None:
    host = Host(4, 40)
    lanes = host.lanes(8)
    await reset(lanes[:4])
    assert host.live == [0, 4]
    host.servers[2].machine.occupy(36)
    began = now()
    await reset(lanes[4:5])
    assert now() - began > 5.0, "it was told of room that is gone"
    again = now()
    await reset(lanes[5:])
    assert now() - again < 1.0
    assert host.live == [4, 4]
    await close(host, lanes)


@virtual_time
async def test_one_lane_stays_at_its_server_until_that_is_full() -> None:
    host = Host(1, 1)
    (one,) = host.lanes(1)
    await reset([one])
    assert host.live == [1, 0]
    assert len(host.dial.dialled) == 1, "siblings are not bothered"
    (two,) = host.lanes(1)
    began = now()
    await reset([two])
    assert host.live == [1, 1]
    assert now() - began < 1.0
    assert host.connections == 2
    await one.close()
    await close(host, [two])


@virtual_time
async def test_several_given_servers_are_surveyed_before_the_first_session() -> None:
    host = Host(4, 12)
    for server in host.servers.values():
        server._terms.update(siblings=(), group="")
        server.start()
    lanes = host.lanes(8, "http://host:1", "http://host:2")
    await reset(lanes)
    assert host.live == [2, 6]
    await close(host, lanes)


@virtual_time
async def test_a_sibling_that_is_not_there_is_skipped_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Host(100, 100)
    del host.dial.servers["http://host:2"]
    lanes = host.lanes(4)
    await reset(lanes)
    assert host.live == [4, 0]
    await ask(
        lanes, Request(Op.STEP, {"do": "error", "code": "SESSION_ERROR", "details": {"reason": "closed"}})
    )
    await reset(lanes)
    assert caplog.text.count("the sibling at http://host:2 cannot be used") == 1
    await close(host, lanes)


@virtual_time
async def test_a_sibling_that_does_not_answer_costs_two_seconds_once() -> None:
    host = Host(100, 100)
    host.servers[2].stalled = True
    lanes = host.lanes(4)
    began = now()
    await reset(lanes)
    assert now() - began == pytest.approx(2.0, abs=0.5)
    assert host.live == [4, 0]
    await asyncio.gather(*(lane.close() for lane in lanes[:2]))
    host.servers[2].stalled = False
    await close(host, lanes)


@virtual_time
async def test_a_stranger_at_a_siblings_address_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    host = Host(100, 100)
    for stranger in (MachineServer(group="another"), MachineServer(), DialectServer()):
        host.dial.servers["http://host:2"] = stranger
        lanes = host.lanes(4)
        await reset(lanes)
        await asyncio.sleep(1)
        assert (host.servers[1].live, stranger.live) == (4, 0)
        await close(host, lanes)
        assert stranger.live == 0
    assert "another server answers there" in caplog.text


@virtual_time
async def test_servers_that_share_no_group_do_not_follow_each_other() -> None:
    host = Host(100, 100, group="")
    lanes = host.lanes(4)
    await reset(lanes)
    assert host.live == [4, 0]
    await close(host, lanes)


@virtual_time
async def test_all_servers_restarted_together_are_all_used_again() -> None:
    host = Host(100, 100)
    lanes = host.lanes(8)
    await reset(lanes)
    for server in host.servers.values():
        server._terms.update(group="of another parent")
        await server.restart()
    assert {type(result) for result in await ask(lanes, STEP)} == {SessionLostError}
    await reset(lanes)
    assert host.live == [4, 4]
    await close(host, lanes)


@virtual_time
async def test_lanes_of_a_dead_server_move_to_its_siblings_even_if_it_was_the_given_one() -> None:
    host = Host(100, 100, 100)
    lanes = host.lanes(9)
    await reset(lanes)
    dead = host.servers[1]
    del host.dial.servers["http://host:1"]
    await dead.cut()
    results = await ask(lanes, STEP, 300.0)
    lost = [lane for lane, result in zip(lanes, results, strict=True) if not isinstance(result, Outcome)]
    assert len(lost) == 3
    await reset(lost)
    assert sum(server.live for server in (host.servers[2], host.servers[3])) == 9
    await asyncio.gather(*(lane.close() for lane in lanes))


@virtual_time
async def test_siblings_that_nobody_names_any_more_are_forgotten() -> None:
    host = Host(100, 100)
    lanes = host.lanes(2)
    await reset(lanes)
    assert len(host.balancer.sites) == 2
    await asyncio.gather(*(lane._session.disconnect() for lane in lanes))
    del host.dial.servers["http://host:2"]
    host.dial.servers["http://host:7"] = host.servers[2]
    for server, sibling in ((host.servers[1], 7), (host.servers[2], 1)):
        server._terms.update(siblings=(sibling,), group="new")
        await server.restart()
    await reset(lanes)
    assert [site.endpoint.base_url for site in host.balancer.sites] == ["http://host:1", "http://host:7"]
    assert host.live == [1, 1]
    await close(host, lanes)


@virtual_time
async def test_a_server_given_under_another_name_is_no_second_one() -> None:
    host = Host(100, 100)
    host.dial.servers["http://alias:2"] = host.servers[2]
    host.dial.servers["http://alias:1"] = host.servers[1]
    lanes = host.lanes(8, "http://host:1", "http://alias:2")
    await reset(lanes)
    assert host.live == [4, 4]
    assert host.connections == 2
    await close(host, lanes)


@virtual_time
async def test_whoever_gives_up_leaves_no_connection() -> None:
    for pause in (0.0, 0.0005, 0.0015, 0.0025, 0.004):
        host = Host(100, 100)
        lanes = host.lanes(3)
        asking = asyncio.create_task(ask(lanes, RESET))
        await asyncio.sleep(pause)
        await close(host, lanes)
        await asyncio.gather(asking, return_exceptions=True)


@virtual_time
async def test_where_everything_is_full_the_lane_waits_and_says_so() -> None:
    host = Host(1, 1)
    taken = host.lanes(2)
    await reset(taken)
    (late,) = host.lanes(1)
    waiting = asyncio.create_task(ask([late], RESET, 60.0))
    await asyncio.sleep(15)
    assert not waiting.done()
    (result,) = await ask([host.lanes(1)[0]], RESET, 5.0)
    assert isinstance(result, NoHealthyServerError)
    await taken[1].close()
    assert isinstance((await waiting)[0], Outcome)
    await late.close()
    await taken[0].close()
