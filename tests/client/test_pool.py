"""`SessionPool`: batches from any thread, results in the order of arrival, faults in their lane."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openenv_gym.client.io_thread import io_thread
from openenv_gym.client.pool import Result, SessionPool
from openenv_gym.errors import (
    ClosedError,
    ConcurrentCallError,
    InvalidActionError,
    NoHealthyServerError,
    ProtocolError,
    SessionLostError,
    StepTimeoutError,
    UsageError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request
from tests.client.dialect_server import DialectServer, MemoryConnector, serving
from tests.client.patience import wait_until

RESET = Request(Op.RESET)
LANES = 6
PATIENCE = 30.0  # seconds; only a broken pool needs them


def step(**action: Any) -> Request:
    return Request(Op.STEP, action)


@pytest.fixture
def pool(server: DialectServer) -> Iterator[SessionPool]:
    with SessionPool([Endpoint("a")], LANES, connector=MemoryConnector(a=server)) as pool:
        pool.submit([(lane, RESET) for lane in range(LANES)], PATIENCE)
        assert all(isinstance(result, Outcome) for _, result in pool.collect(LANES, PATIENCE))
        yield pool


def told(results: list[tuple[int, Result]]) -> dict[int, Any]:
    return {lane: result.observation["said"] for lane, result in results if isinstance(result, Outcome)}


def test_a_batch(pool: SessionPool, server: DialectServer) -> None:
    pool.submit([(lane, step(say=str(lane))) for lane in range(LANES)], PATIENCE)
    assert told(pool.collect(LANES)) == {lane: str(lane) for lane in range(LANES)}
    assert (server.opened, server.live) == (LANES, LANES)
    pool.close()
    assert server.live == 0


def test_results_come_in_the_order_of_arrival(pool: SessionPool) -> None:
    order = [4, 1, 5, 0]
    for lane in order:
        pool.submit([(lane, step(say="x"))], PATIENCE)
        wait_until(lambda lane=lane: lane in pool._inbox._ready)
    assert [lane for lane, _ in pool.collect(1)] == order


def test_part_of_the_lanes(pool: SessionPool) -> None:
    pool.submit([(lane, step(say=str(lane))) for lane in range(4)], PATIENCE)
    assert told(pool.collect(2, PATIENCE, lanes={1, 3})) == {1: "1", 3: "3"}
    pool.submit([(1, step(say="again"))], PATIENCE)
    assert told(pool.collect(3, PATIENCE)) == {0: "0", 2: "2", 1: "again"}
    assert pool.collect(0) == []


def test_too_little_in_time_is_what_there_is(pool: SessionPool) -> None:
    pool.submit([(0, step(do="hang")), (1, step(say="here"))], None)
    assert told(pool.collect(1, PATIENCE)) == {1: "here"}
    assert pool.collect(1, 0.01) == []
    assert pool.collect(1, 0.0) == []


def test_waiting_for_more_than_can_come_is_refused(pool: SessionPool) -> None:
    pool.submit([(0, step(say="x")), (1, step(say="x"))], PATIENCE)
    with pytest.raises(UsageError, match="only 2"):
        pool.collect(3)
    with pytest.raises(UsageError, match="only 1"):
        pool.collect(2, lanes={1, 2})
    assert len(pool.collect(2)) == 2


@pytest.mark.parametrize("lanes", [[2, 0], [2, 2], [5, 5]])
def test_a_busy_lane_is_refused_before_anything_is_sent(
    pool: SessionPool, server: DialectServer, lanes: list[int]
) -> None:
    pool.submit([(0, step(do="hang"))], None)
    with pytest.raises(ConcurrentCallError):
        pool.submit([(lane, step(say="never")) for lane in lanes], None)
    pool.submit([(2, step(say="fine"))], PATIENCE)
    assert told(pool.collect(1, PATIENCE)) == {2: "fine"}
    assert not any(request.payload.get("say") == "never" for request in server.heard)


def test_a_result_that_waits_keeps_its_lane_busy(pool: SessionPool) -> None:
    pool.submit([(0, step(say="x"))], PATIENCE)
    wait_until(lambda: pool._inbox._ready)
    with pytest.raises(ConcurrentCallError, match="collect"):
        pool.submit([(0, step(say="y"))], PATIENCE)
    assert told(pool.collect(1)) == {0: "x"}


def test_abandoning_frees_every_lane_whatever_it_does(pool: SessionPool, server: DialectServer) -> None:
    pool.abandon()
    pool.submit([(0, step(do="hang")), (1, step(say="uncollected"))], None)
    wait_until(lambda: 1 in pool._inbox._ready)
    pool._inbox.claim([2])  # what an interrupt leaves that strikes between claim and start
    pool.abandon()
    with pytest.raises(UsageError, match="0 calls"):
        pool.collect(1)
    pool.submit([(lane, step(say="x")) for lane in range(LANES)], PATIENCE)
    results = dict(pool.collect(LANES))
    assert isinstance(results.pop(0), SessionLostError)
    assert told(list(results.items())) == dict.fromkeys(range(1, LANES), "x")
    pool.submit([(0, RESET)], PATIENCE)
    assert isinstance(dict(pool.collect(1))[0], Outcome)
    assert server.opened == LANES + 1
    wait_until(lambda: server.live == LANES)


async def _submit_and_abandon(pool: SessionPool, calls: list[tuple[int, Request]]) -> None:
    """Begin a batch and give it up before the loop has come to its second part."""
    pool._inbox.claim([lane for lane, _ in calls])
    pool._start(calls, PATIENCE, pool._abandonments)
    await pool._give_all_up()


def test_abandoning_ends_a_batch_whose_parts_have_not_all_begun(
    pool: SessionPool, server: DialectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openenv_gym.client.pool._PART", 1)
    late = step(say="late")
    io_thread().run(_submit_and_abandon(pool, [(lane, late) for lane in range(LANES)]), PATIENCE)
    pool.submit([(lane, RESET) for lane in range(LANES)], PATIENCE)
    assert all(isinstance(result, Outcome) for _, result in pool.collect(LANES, PATIENCE))
    assert [request for request in server.heard if request == late] in ([], [late])


def test_abandoning_ends_the_search_of_a_reset() -> None:
    with SessionPool([Endpoint("nowhere")], 1, connector=MemoryConnector()) as pool:
        pool.submit([(0, RESET)], None)
        pool.abandon()
        pool.submit([(0, RESET)], 0.01)
        assert isinstance(dict(pool.collect(1))[0], NoHealthyServerError)


@pytest.mark.parametrize("lane", [-1, LANES])
def test_a_lane_that_does_not_exist_is_refused(pool: SessionPool, lane: int) -> None:
    with pytest.raises(UsageError, match="lanes run from 0"):
        pool.submit([(0, RESET), (lane, RESET)])
    assert pool.collect(0) == []


def test_faults_stay_in_their_lane(pool: SessionPool, server: DialectServer) -> None:
    pool.submit(
        [
            (0, step(say="fine")),
            (1, step(do="cut")),
            (2, step(do="hang")),
            (3, step(do="raw", frames=["garbage"])),
            (4, Request(Op.STEP, {"x": object()})),
            (5, step(do="error", code="VALIDATION_ERROR")),
        ],
        0.2,
    )
    results = dict(pool.collect(LANES, PATIENCE))
    kinds = [
        Outcome,
        SessionLostError,
        StepTimeoutError,
        ProtocolError,
        InvalidActionError,
        InvalidActionError,
    ]
    assert [type(results[lane]) for lane in range(LANES)] == kinds
    pool.submit([(lane, step(say="next")) for lane in range(LANES)], PATIENCE)
    results = dict(pool.collect(LANES, PATIENCE))
    lost = [isinstance(results[lane], SessionLostError) for lane in range(LANES)]
    assert lost == [False, True, True, True, False, False]
    pool.submit([(lane, RESET) for lane in (1, 2, 3)], PATIENCE)
    assert all(isinstance(result, Outcome) for _, result in pool.collect(3, PATIENCE))
    assert server.opened == LANES + 3


def test_several_threads_with_lanes_of_their_own(pool: SessionPool) -> None:
    def drive(lane: int) -> list[int]:
        steps = []
        for _ in range(50):
            pool.submit([(lane, step(say=str(lane)))], PATIENCE)
            [(got, result)] = pool.collect(1, PATIENCE, lanes=[lane])
            assert got == lane
            assert isinstance(result, Outcome)
            steps.append(result.observation["steps"])
        return steps

    with ThreadPoolExecutor(LANES) as threads:
        for steps in threads.map(drive, range(LANES)):
            assert steps == list(range(1, 51))


def test_threads_that_take_whatever_comes_share_it(pool: SessionPool) -> None:
    with ThreadPoolExecutor(2) as threads:
        takers = [threads.submit(pool.collect, 0, PATIENCE) for _ in range(2)]
        assert [taker.result() for taker in takers] == [[], []]
        pool.submit([(lane, step(say=str(lane))) for lane in range(LANES)], PATIENCE)
        takers = [threads.submit(pool.collect, 1, PATIENCE, half) for half in ({0, 1, 2}, {3, 4, 5})]
        seen = [lane for taker in takers for lane, _ in taker.result()]
    rest = [lane for lane, _ in pool.collect(LANES - len(seen), PATIENCE)]
    assert sorted(seen + rest) == list(range(LANES))


async def test_the_asynchronous_twin_leaves_the_loop_free(pool: SessionPool) -> None:
    pool.submit([(0, step(do="hang")), (1, step(say="x"))], None)
    assert told(await pool.acollect(1, PATIENCE)) == {1: "x"}
    assert await pool.acollect(1, 0.01) == []
    waiting = asyncio.create_task(pool.acollect(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pool.submit([(2, step(say="y"))], PATIENCE)
    assert told(await pool.acollect(1, PATIENCE, lanes=[2])) == {2: "y"}
    with pytest.raises(UsageError):
        await pool.acollect(2)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_closing_wakes_who_collects(pool: SessionPool, asynchronous: bool) -> None:
    pool.submit([(0, step(do="hang"))], None)

    def collect() -> None:
        if asynchronous:
            asyncio.run(pool.acollect(1))
        else:
            pool.collect(1)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(collect)
        wait_until(lambda: pool._inbox._waiters)
        pool.close()
        with pytest.raises(ClosedError):
            waiting.result(PATIENCE)
    pool.close()
    for use in (lambda: pool.submit([(1, RESET)]), lambda: pool.collect(0)):
        with pytest.raises(ClosedError):
            use()


def test_no_server_is_one_lanes_result(server: DialectServer) -> None:
    connector = MemoryConnector()
    with SessionPool([Endpoint("a")], 2, connector=connector) as pool:
        pool.submit([(0, RESET)], 0.1)
        [(_, result)] = pool.collect(1, PATIENCE)
        assert isinstance(result, NoHealthyServerError)
        connector.servers["a"] = server
        pool.submit([(0, RESET), (1, RESET)], PATIENCE)
        assert len(told(pool.collect(2, PATIENCE))) == 2


def test_sessions_are_spread_over_servers_and_move_when_one_dies() -> None:
    one, other = DialectServer(), DialectServer()
    with serving(other) as other_url:
        with serving(one) as one_url, SessionPool([Endpoint(one_url), Endpoint(other_url)], LANES) as pool:
            pool.submit([(lane, RESET) for lane in range(LANES)], PATIENCE)
            assert len(told(pool.collect(LANES, PATIENCE))) == LANES
            assert (one.live, other.live) == (3, 3)
            pool.submit([(lane, step(say=str(lane))) for lane in range(LANES)], PATIENCE)
            assert len(told(pool.collect(LANES, PATIENCE))) == LANES
        # The pool's sessions at `one` are closed with it; now a pool that sees its server go.
        with serving(one) as one_url:
            pool = SessionPool([Endpoint(one_url), Endpoint(other_url)], LANES)
            pool.submit([(lane, RESET) for lane in range(LANES)], PATIENCE)
            pool.collect(LANES, PATIENCE)
        pool.submit([(lane, step(say=str(lane))) for lane in range(LANES)], PATIENCE)
        results = dict(pool.collect(LANES, PATIENCE))
        lost = [lane for lane, result in results.items() if isinstance(result, SessionLostError)]
        assert len(lost) == 3
        pool.submit([(lane, RESET) for lane in lost], PATIENCE)
        assert len(told(pool.collect(3, PATIENCE))) == 3
        assert other.live == LANES
        pool.close()
        assert other.live == 0


def test_an_unclosed_pool_is_reported_and_frees_its_slots(server: DialectServer) -> None:
    pool = SessionPool([Endpoint("a")], 2, connector=MemoryConnector(a=server))
    pool.submit([(0, RESET), (1, RESET)], PATIENCE)
    pool.collect(2, PATIENCE)
    with pytest.warns(ResourceWarning, match="unclosed <SessionPool of 2 lanes"):
        del pool
        gc.collect()
    wait_until(lambda: server.live == 0)


def test_an_end_that_takes_long_goes_on_in_the_background(
    server: DialectServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("openenv_gym.client.pool._CLOSE_TIMEOUT", 0.05)
    pool = SessionPool([Endpoint("a")], 2, connector=MemoryConnector(a=server))
    pool.submit([(0, RESET), (1, RESET)], PATIENCE)
    pool.collect(2, PATIENCE)
    busy = threading.Event()
    io_thread().loop.call_soon_threadsafe(busy.wait, PATIENCE)
    pool.close()
    assert "2 sessions are still being ended after 0.05 s" in caplog.text
    assert server.live == 2
    busy.set()
    wait_until(lambda: server.live == 0)


@pytest.mark.parametrize(("endpoints", "lanes"), [([], 1), ([Endpoint("a")], 0)])
def test_a_pool_of_nothing_is_refused(endpoints: list[Endpoint], lanes: int) -> None:
    with pytest.raises(UsageError):
        SessionPool(endpoints, lanes)


class TestOneCall:
    """`SessionPool.call`, the way of a single environment."""

    def test_it_returns_the_reply_or_raises_the_error(self, pool: SessionPool, server: DialectServer) -> None:
        reply = pool.call(2, step(say="hello"), PATIENCE)
        assert isinstance(reply, Outcome)
        assert reply.observation["said"] == "hello"
        with pytest.raises(SessionLostError):
            pool.call(2, step(do="cut"), PATIENCE)
        assert isinstance(pool.call(2, RESET, PATIENCE), Outcome)
        assert server.opened == LANES + 1

    def test_a_lane_runs_one_call_at_a_time(self, pool: SessionPool) -> None:
        pool.submit([(0, step(do="hang"))], None)
        with pytest.raises(ConcurrentCallError):
            pool.call(0, step(say="x"), PATIENCE)
        with pytest.raises(UsageError):
            pool.call(LANES, step(say="x"), PATIENCE)
        assert isinstance(pool.call(1, step(say="x"), PATIENCE), Outcome)

    @pytest.mark.parametrize("request_", [step(do="hang"), Request(Op.RESET, {"do": "hang"})])
    def test_an_interrupted_caller_leaves_a_free_lane(
        self, pool: SessionPool, server: DialectServer, request_: Request
    ) -> None:
        def interrupt() -> None:
            wait_until(lambda: request_ in server.heard)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        with ThreadPoolExecutor(1) as threads:
            threads.submit(interrupt)
            with pytest.raises(KeyboardInterrupt):
                pool.call(0, request_, None)
        if request_.op is Op.STEP:
            with pytest.raises(SessionLostError):
                pool.call(0, step(say="x"), PATIENCE)
        assert isinstance(pool.call(0, RESET, PATIENCE), Outcome)

    @pytest.mark.parametrize("request_", [step(do="hang"), Request(Op.RESET, {"do": "hang"})])
    def test_closing_the_pool_ends_it(
        self, pool: SessionPool, server: DialectServer, request_: Request
    ) -> None:
        with ThreadPoolExecutor(1) as threads:
            call = threads.submit(pool.call, 0, request_, None)
            wait_until(lambda: request_ in server.heard)
            pool.close()
            with pytest.raises((ClosedError, SessionLostError)):
                call.result(PATIENCE)
