"""Servers that come and go under a pool's lanes, in virtual time: at once, and no other lane is troubled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from openenv_gym.client.balancer import Balancer
from openenv_gym.client.dialects import DialectConnector
from openenv_gym.client.lane import Lane
from openenv_gym.client.roster import Roster
from openenv_gym.client.roster_view import RosterView, Serving
from openenv_gym.errors import EnvironmentFailedError, NoHealthyServerError, SessionLostError
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.client.dialect_server import DialectServer
from tests.client.v1.machine_server import MachineServer, MemoryDial
from tests.client.virtual_time import now, virtual_time

RESET = Request(Op.RESET)
STEP = Request(Op.STEP, {"say": "x"})
SLOW = Request(Op.STEP, {"do": "sleep", "seconds": 5.0})
HANG = Request(Op.STEP, {"do": "hang"})
FAIL = {"do": "error", "code": "EXECUTION_ERROR"}


class Kept:
    """Servers by letter, a roster that is told of some of them, and lanes.

    Attributes:
        servers: All there are, by letter.
    """

    def __init__(self, lanes: int, *, dialect: str = "v1", **capacities: int) -> None:
        loop = asyncio.get_running_loop()
        kind = MachineServer if dialect == "v1" else DialectServer
        self.servers = {letter: kind(capacity=capacity) for letter, capacity in capacities.items()}
        self.dial = MemoryDial(**{_url(letter): server for letter, server in self.servers.items()})
        self.connector = DialectConnector(self.dial)
        self.balancer = Balancer([], clock=loop.time, jitter=lambda: 0.0)
        self.roster = Roster(self.connector, (), sessions=lanes, timeout=10.0, balancer=self.balancer)
        self.lanes = [Lane(self.roster, connect_timeout=10.0, open_timeout=60.0) for _ in range(lanes)]

    def tell(self, *letters: str, draining: str = "", **view: Any) -> None:
        """Say which servers there are now."""
        serving = tuple(Serving(Endpoint(_url(one)), None, one in draining) for one in letters)
        self.roster.apply(RosterView(serving, **view))

    def call(self, request: Request, *lanes: int, timeout: float = 30.0) -> list[asyncio.Future[Any]]:
        """Start a call on some lanes, or on all."""
        futures = []
        for lane in lanes or range(len(self.lanes)):
            future = asyncio.get_running_loop().create_future()
            self.lanes[lane].start(request, timeout, future.set_result)
            futures.append(future)
        return futures

    async def ask(self, request: Request, *lanes: int, timeout: float = 30.0) -> list[type]:
        """Make a call on some lanes, or on all, and tell what kinds of results came."""
        return [type(one) for one in await asyncio.gather(*self.call(request, *lanes, timeout=timeout))]

    @property
    def live(self) -> dict[str, int]:
        return {letter: server.live for letter, server in self.servers.items()}

    @property
    def counted(self) -> dict[str, int]:
        return {site.endpoint.base_url[-1]: site.sessions for site in self.balancer.sites}

    async def close(self) -> None:
        """Close the lanes and see that nothing is left of them."""
        await asyncio.gather(*(lane.close() for lane in self.lanes))
        await asyncio.sleep(5)
        for letter, server in self.servers.items():
            if not getattr(server, "stalled", False):
                assert not getattr(server, "_ends", ())
                # Nobody says goodbye to one that is gone; here it lives on, and the session for its lease.
                assert server.live == 0 or letter not in self.counted
        assert set(self.counted.values()) <= {0}
        assert self.balancer.waiting == 0


def _url(letter: str) -> str:
    return f"http://{letter}"


@pytest.mark.parametrize("dialect", ["v1", "openenv"])
@virtual_time
async def test_a_call_on_a_server_that_is_gone_ends_at_once_and_no_other(dialect: str) -> None:
    kept = Kept(4, dialect=dialect, a=10, b=10)
    kept.tell("a", "b")
    assert await kept.ask(RESET) == [Outcome] * 4
    slow = kept.call(HANG)
    await asyncio.sleep(1)
    if dialect == "v1":
        kept.servers["a"].stalled = True  # paused: its connections stand and say nothing
    kept.tell("b", causes={Endpoint("http://a"): "a is gone: killed"})
    await asyncio.sleep(0)
    done = [future for future in slow if future.done()]
    assert [type(future.result()) for future in done] == [SessionLostError] * 2
    assert "a is gone: killed" in str(done[0].result())
    assert kept.counted == {"b": 4 - 2}
    began = now()
    lost = [lane for lane, future in enumerate(slow) if future.done()]
    assert await kept.ask(RESET, *lost) == [Outcome] * 2
    assert now() - began < 0.5
    assert kept.counted == {"b": 4}
    await kept.close()


@virtual_time
async def test_a_lane_between_calls_learns_of_its_loss_at_its_next_step() -> None:
    kept = Kept(1, a=1, b=1)
    kept.tell("a")
    await kept.ask(RESET)
    kept.tell("b")
    (step,) = kept.call(STEP)
    assert isinstance(await step, SessionLostError)
    assert await kept.ask(RESET) == [Outcome]
    await kept.close()


@virtual_time
async def test_resets_wait_for_a_server_and_go_as_soon_as_one_is_there() -> None:
    kept = Kept(3, a=10)
    resets = kept.call(RESET)
    await asyncio.sleep(20)
    assert kept.balancer.waiting == 3
    assert not any(reset.done() for reset in resets)
    kept.tell("a")
    began = now()
    assert {type(one) for one in await asyncio.gather(*resets)} == {Outcome}
    assert now() - began < 0.5
    await kept.close()


@virtual_time
async def test_without_any_server_the_deadline_says_why() -> None:
    kept = Kept(1, a=10)
    kept.tell(trouble="no such image")
    (reset,) = kept.call(RESET, timeout=7.0)
    began = now()
    result = await reset
    assert now() - began == pytest.approx(7.0)
    assert isinstance(result, NoHealthyServerError)
    assert "no such image" in str(result)
    await kept.close()


@virtual_time
async def test_a_reset_that_runs_on_a_server_that_is_gone_goes_elsewhere() -> None:
    kept = Kept(1, a=1, b=1)
    kept.tell("a")
    kept.servers["a"].stalled = True
    (reset,) = kept.call(RESET)
    await asyncio.sleep(3)
    kept.tell("b")
    began = now()
    assert isinstance(await reset, Outcome)
    assert now() - began < 0.5
    await kept.close()


@virtual_time
async def test_whoever_queues_at_a_full_server_goes_to_the_new_one_at_once() -> None:
    kept = Kept(6, a=3, b=10)
    kept.tell("a")
    resets = kept.call(RESET)
    await asyncio.sleep(2)
    assert sum(reset.done() for reset in resets) == 3
    kept.tell("a", "b")
    began = now()
    assert {type(one) for one in await asyncio.gather(*resets)} == {Outcome}
    assert now() - began < 1.0
    assert kept.live == {"a": 3, "b": 3}
    await kept.close()


@virtual_time
async def test_a_draining_server_keeps_its_episodes_and_loses_its_lanes_at_their_resets() -> None:
    kept = Kept(4, a=10, b=10)
    kept.tell("a", "b")
    await kept.ask(RESET)
    kept.tell("a", "b", draining="a")
    assert await kept.ask(STEP) == [Outcome] * 4
    assert kept.live == {"a": 2, "b": 2}
    assert await kept.ask(RESET) == [Outcome] * 4
    assert kept.counted == {"a": 0, "b": 4}
    await asyncio.sleep(5)
    assert kept.live == {"a": 0, "b": 4}
    await kept.close()


@virtual_time
async def test_lanes_spread_over_a_server_that_came_back_empty_and_then_stay() -> None:
    kept = Kept(6, a=10, b=10)
    kept.tell("a")
    await kept.ask(RESET)
    kept.tell("a", "b")
    assert await kept.ask(RESET) == [Outcome] * 6
    assert kept.counted == {"a": 3, "b": 3}
    opened = [server.opened for server in kept.servers.values()]
    for _ in range(3):
        assert await kept.ask(RESET) == [Outcome] * 6
    assert [server.opened for server in kept.servers.values()] == opened
    await kept.close()


@virtual_time
async def test_an_open_circuit_refuses_resets_at_once_and_says_why() -> None:
    kept = Kept(1, a=1)
    kept.tell("a", trouble="every session fails: boom", is_open=True)
    began = now()
    (reset,) = kept.call(RESET)
    result = await reset
    assert isinstance(result, NoHealthyServerError)
    assert "boom" in str(result)
    assert now() == began
    kept.tell("a")
    assert await kept.ask(RESET) == [Outcome]
    await kept.close()


@virtual_time
async def test_episodes_that_fail_at_their_start_are_counted_for_their_server() -> None:
    kept = Kept(2, a=10)
    kept.tell("a")
    await kept.ask(RESET)
    assert await kept.ask(Request(Op.STEP, FAIL)) == [EnvironmentFailedError] * 2
    assert await kept.ask(Request(Op.RESET, FAIL)) == [EnvironmentFailedError] * 2
    (count,) = kept.roster.census().sites.values()
    assert (count.misfires, count.sessions) == (4, 2)
    assert "as ordered" in count.last_misfire
    await kept.ask(RESET, 0)
    assert kept.roster.census().sites[Endpoint("http://a")].misfires == 4, "a reset alone proves nothing"
    assert await kept.ask(STEP, 0) == [Outcome]
    census = kept.roster.census()
    assert census.sites[Endpoint("http://a")].misfires == 0
    assert census.successes == 1
    assert await kept.ask(Request(Op.STEP, FAIL), 0) == [EnvironmentFailedError]
    assert kept.roster.census().sites[Endpoint("http://a")].misfires == 0, "the episode had begun well"
    await kept.close()


@virtual_time
async def test_an_episode_that_was_lost_before_its_first_step_proves_nothing() -> None:
    kept = Kept(1, a=10, b=10)
    kept.tell("a")
    await kept.ask(RESET)
    kept.tell("b")
    assert await kept.ask(STEP) == [SessionLostError]
    assert await kept.ask(RESET) == [Outcome]
    assert kept.roster.census().successes == 0
    assert await kept.ask(STEP) == [Outcome]
    assert kept.roster.census().successes == 1
    await kept.close()


@virtual_time
async def test_what_callers_do_is_no_fault_of_the_server() -> None:
    kept = Kept(2, a=10)
    kept.tell("a")
    await kept.ask(RESET)
    kept.call(SLOW)
    await asyncio.gather(*(lane.abandon() for lane in kept.lanes))
    await kept.ask(RESET)
    invalid = {"do": "error", "code": "VALIDATION_ERROR"}
    await kept.ask(Request(Op.STEP, invalid))
    assert kept.roster.census().sites[Endpoint("http://a")].misfires == 0
    await kept.close()
