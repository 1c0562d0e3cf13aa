"""A pool's lane in virtual time: resets find a healthy server in time, or say that there is none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from openenv_gym.client.balancer import Balancer
from openenv_gym.client.lane import Lane
from openenv_gym.client.roster import Roster
from openenv_gym.errors import (
    CapacityError,
    EnvironmentFailedError,
    NoHealthyServerError,
    NotResetError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op, Outcome, Reason, Request
from tests.client.dialect_server import DialectServer, MemoryConnector
from tests.client.virtual_time import now, virtual_time

RESET = Request(Op.RESET)
STEP = Request(Op.STEP, {"say": "x"})


class LaneUser:
    """Awaits what a lane reports."""

    def __init__(self, connector: MemoryConnector, *urls: str, balancer: Balancer | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.balancer = balancer or Balancer([Endpoint(url) for url in urls], clock=loop.time)
        self.roster = Roster(connector, (), sessions=1, timeout=10.0, balancer=self.balancer)
        self.lane = Lane(self.roster, connect_timeout=10.0, open_timeout=60.0)

    async def __call__(self, request: Request, timeout: float | None = 5.0) -> Any:
        future = asyncio.get_running_loop().create_future()
        self.lane.start(request, timeout, future.set_result)
        return await future


@virtual_time
async def test_an_episode() -> None:
    server = DialectServer()
    lane = LaneUser(MemoryConnector(a=server), "a")
    assert isinstance(await lane(STEP), NotResetError)
    for _ in range(2):
        assert isinstance(await lane(RESET), Outcome)
        assert (await lane(STEP)).observation["steps"] == 1
    assert server.opened == 1
    await lane.lane.close()
    assert server.live == 0
    assert lane.balancer.sites[0].sessions == 0


@virtual_time
async def test_a_reset_moves_to_a_healthy_server() -> None:
    well = DialectServer()
    connector = MemoryConnector(b=well)
    lane = LaneUser(connector, "a", "b")
    assert isinstance(await lane(RESET), Outcome)
    assert connector.asked == ["a", "b"]
    assert [site.sessions for site in lane.balancer.sites] == [0, 1]
    await lane.lane.close()


@virtual_time
async def test_a_lost_lane_says_so_until_its_reset() -> None:
    server = DialectServer()
    lane = LaneUser(MemoryConnector(a=server), "a")
    await lane(RESET)
    assert isinstance(await lane(Request(Op.STEP, {"do": "cut"})), SessionLostError)
    assert isinstance(await lane(STEP), SessionLostError)
    assert isinstance(await lane(RESET), Outcome)
    assert (server.opened, server.live) == (2, 1)
    await lane.lane.close()


@virtual_time
async def test_a_server_that_comes_back_is_found() -> None:
    connector = MemoryConnector()
    lane = LaneUser(connector, "a")
    reset = asyncio.create_task(lane(RESET, 60.0))
    await asyncio.sleep(20)
    assert not reset.done()
    connector.servers["a"] = DialectServer()
    assert isinstance(await reset, Outcome)
    assert len(connector.asked) < 30
    await lane.lane.close()


@pytest.mark.parametrize(("timeout", "limit"), [(8.0, 8.0), (None, 60.0)])
@virtual_time
async def test_without_any_healthy_server_the_deadline_ends_it(timeout: float | None, limit: float) -> None:
    lane = LaneUser(MemoryConnector(), "a", "b")
    began = now()
    result = await lane(RESET, timeout)
    assert now() - began == pytest.approx(limit)
    assert isinstance(result, NoHealthyServerError)
    assert f"{limit:g} s" in str(result)
    assert "nobody at" in str(result)
    assert [site.sessions for site in lane.balancer.sites] != [1, 1]
    await lane.lane.close()
    assert [site.sessions for site in lane.balancer.sites] == [0, 0]


@virtual_time
async def test_a_full_server_is_waited_for() -> None:
    server = DialectServer(capacity=1)
    connector = MemoryConnector(a=server)
    first = LaneUser(connector, "a")
    await first(RESET)
    second = LaneUser(connector, balancer=first.balancer)
    waiting = asyncio.create_task(second(RESET, 60.0))
    await asyncio.sleep(10)
    assert not waiting.done()
    await first.lane.close()
    assert isinstance(await waiting, Outcome)
    await second.lane.close()


@virtual_time
async def test_a_server_that_stays_full_is_an_error_at_the_deadline() -> None:
    server = DialectServer()
    server.refusal = ErrorReply(ErrorCode.CAPACITY_REACHED, "all taken")
    lane = LaneUser(MemoryConnector(a=server), "a")
    result = await lane(RESET, 9.0)
    assert isinstance(result, NoHealthyServerError)
    assert "all taken" in str(result)
    assert not isinstance(result, CapacityError)
    await lane.lane.close()


@virtual_time
async def test_a_server_that_shuts_down_is_left_for_another() -> None:
    connector = MemoryConnector(a=DialectServer(), b=DialectServer())
    lane = LaneUser(connector, "a", "b")
    await lane(RESET)
    connector.servers["a"].refusal = ErrorReply(
        ErrorCode.SESSION_ERROR, "shutting down", {"reason": Reason.DRAINING.value}
    )
    drained = {"do": "error", "code": "EXECUTION_ERROR", "details": {"reason": "draining"}}
    assert isinstance(await lane(Request(Op.STEP, drained)), CapacityError)
    began = now()
    result = await lane(Request(Op.RESET, drained), 7.0)
    assert isinstance(result, NoHealthyServerError)
    assert now() - began == pytest.approx(7.0)
    assert len(connector.asked) < 60
    assert isinstance(await lane(RESET), Outcome)
    assert connector.asked[-1] == "b"
    await lane.lane.close()


@virtual_time
async def test_a_reset_that_hangs_ends_at_its_deadline() -> None:
    server = DialectServer()
    lane = LaneUser(MemoryConnector(a=server), "a")
    began = now()
    result = await lane(Request(Op.RESET, {"do": "hang"}), 6.0)
    assert isinstance(result, StepTimeoutError)
    assert now() - began == 6.0
    await asyncio.sleep(1)
    assert server.live == 0
    assert isinstance(await lane(RESET), Outcome)
    await lane.lane.close()


@virtual_time
async def test_without_a_timeout_a_reset_may_take_any_time_once_its_server_is_found() -> None:
    server = DialectServer()
    lane = LaneUser(MemoryConnector(a=server), "a")
    reset = asyncio.create_task(lane(Request(Op.RESET, {"do": "hang"}), None))
    await asyncio.sleep(10_000)
    assert not reset.done()
    await lane.lane.close()
    assert isinstance(await reset, SessionLostError | asyncio.CancelledError)


@virtual_time
async def test_resets_that_kill_their_server_are_not_repeated_forever() -> None:
    server = DialectServer()
    lane = LaneUser(MemoryConnector(a=server), "a")
    result = await lane(Request(Op.RESET, {"do": "cut"}), 600.0)
    assert isinstance(result, SessionLostError)
    assert server.opened == 3
    assert isinstance(await lane(RESET), Outcome)
    await lane.lane.close()


@virtual_time
async def test_the_environments_own_failure_is_told_at_once() -> None:
    server = DialectServer()
    lane = LaneUser(MemoryConnector(a=server), "a")
    result = await lane(Request(Op.RESET, {"do": "error", "code": "EXECUTION_ERROR"}), 600.0)
    assert isinstance(result, EnvironmentFailedError)
    assert server.opened == 1
    await lane.lane.close()
