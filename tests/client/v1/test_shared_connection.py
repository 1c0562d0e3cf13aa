"""Sessions on a shared connection, over memory and in virtual time: cuts, outages, restarts, deadlines."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from openenv_gym.client.dialects import DialectConnector
from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import (
    CapacityError,
    EnvironmentFailedError,
    InvalidActionError,
    OpenEnvGymError,
    ProtocolError,
    ServerUnreachableError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import Op, Outcome, Request, StateReply
from tests.client.v1.machine_server import MachineServer, MemoryDial
from tests.client.virtual_time import now, virtual_time

RESET = Request(Op.RESET)
STATE = Request(Op.STATE)


def step(**action: Any) -> Request:
    return Request(Op.STEP, action)


def sessions_at(
    server: MachineServer, count: int, **options: float
) -> tuple[MemoryDial, list[RemoteSession]]:
    dial = MemoryDial(a=server)
    connector = DialectConnector(dial, **options)
    return dial, [RemoteSession(connector, Endpoint("a"), connect_timeout=10.0) for _ in range(count)]


async def said(session: RemoteSession, text: str, timeout: float | None = 5.0) -> int:
    reply = await session.call(step(say=text), timeout)
    assert isinstance(reply, Outcome)
    assert reply.observation["said"] == text
    return int(reply.observation["steps"])


async def close_all(sessions: list[RemoteSession]) -> None:
    await asyncio.gather(*(session.close() for session in sessions))


@virtual_time
async def test_many_sessions_share_a_connection_and_a_turns_calls_a_frame() -> None:
    server = MachineServer()
    _, sessions = sessions_at(server, 50)
    await asyncio.gather(*(session.call(RESET, 5.0) for session in sessions))
    assert server.connections == 1
    before = server.frames
    assert await asyncio.gather(*(said(session, "x") for session in sessions)) == [1] * 50
    assert server.frames == before + 1
    assert await sessions[7].call(STATE, 5.0) == StateReply({"step_count": 1})
    assert (server.opened, server.live) == (50, 50)
    await close_all(sessions)
    assert server.live == 0


@virtual_time
async def test_the_connection_ends_with_its_last_session_and_another_begins_with_the_next() -> None:
    server = MachineServer()
    dial, (first, second) = sessions_at(server, 2)
    await first.call(RESET, 5.0)
    await second.call(RESET, 5.0)
    await first.close()
    await first.close()
    assert len(server._ends) == 1
    await second.disconnect()
    assert server._ends == {}
    await second.call(RESET, 5.0)
    assert len(dial.dialled) == 2
    await second.close()
    assert asyncio.all_tasks() == {asyncio.current_task()} | server._tasks


@virtual_time
async def test_cuts_at_any_moment_lose_and_repeat_nothing() -> None:
    server = MachineServer()
    _, sessions = sessions_at(server, 8)
    await asyncio.gather(*(session.call(RESET, 60.0) for session in sessions))
    rng = random.Random(5)
    cutting = True

    async def cut_again_and_again() -> None:
        while cutting:
            await asyncio.sleep(rng.random())
            await server.cut()

    async def drive(lane: int, session: RemoteSession) -> None:
        for count in range(1, 41):
            text = f"{lane}/{count}"
            seconds = rng.random() * 0.3
            reply = await session.call(step(say=text, do="sleep", seconds=seconds), 30.0)
            assert isinstance(reply, Outcome)
            assert reply.observation == {"said": text, "steps": count}

    vandal = asyncio.create_task(cut_again_and_again())
    await asyncio.gather(*(drive(lane, session) for lane, session in enumerate(sessions)))
    cutting = False
    await vandal
    assert server.connections > 5
    assert {text: count for text, count in server.ran.items() if "/" in text and count != 1} == {}
    await close_all(sessions)
    assert (server.opened, server.live) == (8, 0)


@virtual_time
async def test_a_short_outage_is_not_noticed() -> None:
    server = MachineServer(lease=60.0)
    dial, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    del dial.servers["a"]
    await server.cut()
    await asyncio.sleep(25)
    dial.servers["a"] = server
    assert await said(session, "still here", 20.0) == 1
    assert len(dial.dialled) < 25
    await session.close()


@virtual_time
async def test_a_long_outage_is_one_fault_after_the_time_that_was_set() -> None:
    server = MachineServer(lease=60.0)
    dial, (session,) = sessions_at(server, 1, outage_timeout=20.0)
    await session.call(RESET, 5.0)
    del dial.servers["a"]
    await server.cut()
    began = now()
    with pytest.raises(SessionLostError, match="no connection to the server for 20 s"):
        await said(session, "x", 600.0)
    assert now() - began == pytest.approx(20.0, abs=0.1)
    with pytest.raises(SessionLostError, match="no connection"):
        await said(session, "y")
    await asyncio.sleep(100)
    assert server.live == 0
    attempts = len(dial.dialled)
    with pytest.raises(ServerUnreachableError):
        await session.call(RESET, 5.0)
    await asyncio.sleep(100)
    assert len(dial.dialled) == attempts + 1, "nobody wants the connection any more"
    dial.servers["a"] = server
    await session.call(RESET, 5.0)
    assert await said(session, "back") == 1
    await session.close()


@virtual_time
async def test_a_restart_ends_the_running_call_once_with_its_outcome_unknown() -> None:
    server = MachineServer()
    _, (busy, idle) = sessions_at(server, 2)
    await busy.call(RESET, 5.0)
    await idle.call(RESET, 5.0)
    running = asyncio.create_task(busy.call(step(say="once", do="sleep", seconds=100), 200.0))
    await asyncio.sleep(1)
    await server.restart()
    with pytest.raises(SessionLostError, match="outcome is unknown"):
        await running
    with pytest.raises(SessionLostError, match=r"restarted.*reset\(\)"):
        await said(idle, "x")
    assert server.ran["once"] == 1
    for session in (busy, idle):
        await session.call(RESET, 5.0)
        assert await said(session, "anew") == 1
    await close_all([busy, idle])
    assert server.live == 0


@pytest.mark.parametrize("announced", [False, True])
@virtual_time
async def test_a_server_that_stops_is_a_fault_at_once(announced: bool) -> None:
    server = MachineServer()
    dial, (busy, idle) = sessions_at(server, 2)
    await busy.call(RESET, 5.0)
    await idle.call(RESET, 5.0)
    running = asyncio.create_task(busy.call(step(do="hang"), 200.0))
    await asyncio.sleep(1)
    if announced:
        server.machine.drain()
        server._turn()
    del dial.servers["a"]
    began = now()
    await server.cut(1001 if announced else 1012)
    with pytest.raises(SessionLostError, match=r"stopped.*unknown"):
        await running
    with pytest.raises(SessionLostError, match="stopped"):
        await said(idle, "x")
    assert now() - began < 1.0
    await close_all([busy, idle])


@virtual_time
async def test_the_servers_deadline_decides_and_the_slot_is_freed() -> None:
    server = MachineServer(capacity=1)
    _, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    began = now()
    with pytest.raises(StepTimeoutError, match="too slow"):
        await session.call(step(do="hang"), 7.0)
    assert now() - began == pytest.approx(7.0)
    with pytest.raises(SessionLostError, match=r"reset\(\)"):
        await said(session, "x")
    await session.call(RESET, 5.0)
    assert (server.opened, server.live) == (2, 1)
    await session.close()


@virtual_time
async def test_a_stalled_connection_costs_the_deadline_and_some_patience() -> None:
    server = MachineServer()
    _, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    server.stalled = True
    began = now()
    with pytest.raises(StepTimeoutError, match="unknown"):
        await said(session, "into the void", 3.0)
    assert 3.0 < now() - began < 20.0
    server.stalled = False
    await server.cut()
    await session.call(RESET, 5.0)
    assert await said(session, "fine") == 1
    await session.close()


@virtual_time
async def test_a_cancelled_call_frees_its_slot_at_once() -> None:
    server = MachineServer()
    _, (session, other) = sessions_at(server, 2)
    await session.call(RESET, 5.0)
    await other.call(RESET, 5.0)
    call = asyncio.create_task(session.call(step(do="hang"), None))
    await asyncio.sleep(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0.001)
    assert server.live == 1
    with pytest.raises(SessionLostError, match="cancelled"):
        await session.call(STATE, 5.0)
    assert await said(other, "undisturbed") == 1
    await close_all([session, other])


@virtual_time
async def test_a_full_server_is_waited_for_and_then_refuses() -> None:
    server = MachineServer(capacity=1)
    _, (first, second, third) = sessions_at(server, 3)
    await first.call(RESET, 5.0)
    waiting = asyncio.create_task(second.call(RESET, 5.0))
    await asyncio.sleep(5)
    await first.close()
    assert isinstance(await waiting, Outcome)
    began = now()
    with pytest.raises(CapacityError) as full:
        await third.call(RESET, 5.0)
    assert now() - began == pytest.approx(10.0, abs=0.1)
    assert full.value.retry_after is not None
    await close_all([second, third])


@virtual_time
async def test_giving_up_an_open_leaves_no_session() -> None:
    server = MachineServer(capacity=1)
    _, (first, second) = sessions_at(server, 2)
    await first.call(RESET, 5.0)
    waiting = asyncio.create_task(second.call(RESET, 5.0))
    await asyncio.sleep(1)
    await second.close()
    with pytest.raises(SessionLostError):
        await waiting
    await first.close()
    await asyncio.sleep(1)
    assert (server.opened, server.live) == (1, 0)


@pytest.mark.parametrize("code", ["EXECUTION_ERROR", "VALIDATION_ERROR"])
@virtual_time
async def test_the_environments_errors_leave_the_session_alone(code: str) -> None:
    _, (session,) = sessions_at(MachineServer(), 1)
    await session.call(RESET, 5.0)
    with pytest.raises((EnvironmentFailedError, InvalidActionError), match="as ordered"):
        await session.call(step(do="error", code=code), 5.0)
    with pytest.raises(InvalidActionError, match="cannot be sent"):
        await session.call(step(x=object()), 5.0)
    assert await said(session, "go on") == 1
    await session.close()


@virtual_time
async def test_nonsense_once_is_a_cut_like_any_other() -> None:
    server = MachineServer()
    _, sessions = sessions_at(server, 2)
    await asyncio.gather(*(session.call(RESET, 5.0) for session in sessions))
    for count in range(1, 11):
        running = asyncio.create_task(sessions[0].call(step(say=str(count), do="sleep", seconds=1), 60.0))
        await asyncio.sleep(0.5)
        for end in list(server._ends.values()):
            end.send(b"\xc1")
        assert isinstance(await running, Outcome)
        assert server.ran[str(count)] == 1
        assert await said(sessions[1], "undisturbed") == count
    await close_all(sessions)


@virtual_time
async def test_a_server_that_talks_nonsense_only_is_given_up() -> None:
    server = MachineServer()
    _, (session, other) = sessions_at(server, 2)
    await session.call(RESET, 5.0)
    await other.call(RESET, 5.0)
    server.babbles = True
    await server.cut()
    with pytest.raises(ProtocolError, match="broke the protocol"):
        await said(session, "x", 60.0)
    with pytest.raises(SessionLostError, match="given up"):
        await said(other, "x")
    server.babbles = False
    await session.call(RESET, 5.0)
    await close_all([session, other])


@virtual_time
async def test_a_silent_connection_is_replaced_and_nothing_lost() -> None:
    server = MachineServer(lease=60.0)
    _, sessions = sessions_at(server, 3)
    await asyncio.gather(*(session.call(RESET, 5.0) for session in sessions))
    began = now()
    server.silence()
    assert await asyncio.gather(*(said(session, "x", 60.0) for session in sessions[:2])) == [1, 1]
    assert now() - began < 12.0
    assert (server.connections, server.ran["x"]) == (2, 2)
    server.silence()
    running = [asyncio.create_task(said(session, "y", 60.0)) for session in sessions]
    await asyncio.sleep(3.0)
    assert [await task for task in running] == [2, 2, 1]
    assert server.ran["y"] == 3
    await close_all(sessions)
    assert (server.opened, server.live) == (3, 0)


@virtual_time
async def test_a_greeting_that_never_comes_is_not_waited_for_forever() -> None:
    server = MachineServer()
    dial, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    server.stalled = True
    await server.cut()
    asyncio.get_running_loop().call_later(20.0, setattr, server, "stalled", False)
    assert await said(session, "x", 60.0) == 1
    assert len(dial.dialled) < 10
    await session.close()


@virtual_time
async def test_a_busy_server_keeps_its_connection_however_long_it_thinks() -> None:
    server = MachineServer()
    _, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    before = server.frames
    reply = await session.call(step(say="x", do="sleep", seconds=300), 600.0)
    assert isinstance(reply, Outcome)
    assert server.connections == 1
    assert before + 20 < server.frames < before + 100, "it was asked for signs of life"
    await session.close()


@virtual_time
async def test_a_frozen_server_is_waited_for_while_its_connection_stands() -> None:
    server = MachineServer()
    dial, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    end = next(iter(server._ends.values()))
    server.silence()
    del dial.servers["a"]  # stands for a handshake that nobody answers
    running = asyncio.create_task(said(session, "x", 600.0))
    await asyncio.sleep(200)
    assert not running.done()
    server._silenced.clear()
    dial.servers["a"] = server
    end.send(b"\x90")  # an empty frame: it wakes up
    server.machine.wake(now())
    assert await running == 1
    await session.close()
    assert server.live == 0
    assert asyncio.all_tasks() == {asyncio.current_task()} | server._tasks


@virtual_time
async def test_an_interrupted_loop_does_not_take_its_own_absence_for_silence() -> None:
    server = MachineServer()
    _, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    running = asyncio.create_task(said(session, "x", 600.0))
    await asyncio.sleep(0)
    asyncio.get_running_loop().now += 500.0  # type: ignore[attr-defined]
    assert await running == 1
    assert server.connections == 1
    await session.close()


@virtual_time
async def test_closing_without_a_connection_is_bounded_and_leaves_the_session_to_its_lease() -> None:
    server = MachineServer(lease=60.0)
    dial, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    del dial.servers["a"]
    await server.cut()
    began = now()
    await session.close()
    assert now() - began < 5
    await asyncio.sleep(100)
    assert server.live == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual_time
async def test_a_cut_while_closing_still_frees_the_slot() -> None:
    server = MachineServer(lease=1e6)
    _, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0)
    await server.cut()
    await closing
    assert server.live == 0


@pytest.mark.parametrize("error", [ServerUnreachableError])
@virtual_time
async def test_a_server_that_is_not_there_yet(error: type[OpenEnvGymError]) -> None:
    dial = MemoryDial()
    session = RemoteSession(DialectConnector(dial), Endpoint("a"))
    with pytest.raises(error):
        await session.call(RESET, 5.0)
    dial.servers["a"] = MachineServer()
    await session.call(RESET, 5.0)
    await session.close()


@virtual_time
async def test_what_an_interrupt_left_half_done_is_sent_again() -> None:
    server = MachineServer()
    dial, (session,) = sessions_at(server, 1)
    await session.call(RESET, 5.0)
    dialled = dial.latest
    carry, dialled.send = dialled.send, _interrupted
    results: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        session.start(step(say="x"), 5.0, results.append)
    dialled.send = carry
    await asyncio.sleep(1.0)
    assert [type(result) for result in results] == [Outcome]
    assert (server.ran["x"], server.connections) == (1, 2)
    await session.close()


def _interrupted(message: str | bytes) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("trouble", ["stall", "silence", "outage", "cut-and-stall", "hang"])
@virtual_time
async def test_no_call_outlives_its_time_by_much(trouble: str) -> None:
    server = MachineServer()
    dial, (session, other) = sessions_at(server, 2, outage_timeout=1e6)
    await session.call(RESET, 5.0)
    await other.call(RESET, 5.0)
    if trouble == "silence":
        server.silence()
    if trouble in ("outage", "silence"):
        del dial.servers["a"]
    if trouble in ("stall", "cut-and-stall"):
        server.stalled = True
    if trouble in ("outage", "cut-and-stall"):
        await server.cut()
    began = now()
    action = {"do": "hang"} if trouble == "hang" else {"say": "x"}
    quick, slow = (
        asyncio.create_task(one.call(step(**action), timeout))
        for one, timeout in ((session, 0.5), (other, 50.0))
    )
    with pytest.raises(StepTimeoutError):
        await quick
    assert now() - began <= 2.0
    with pytest.raises(StepTimeoutError):
        await slow
    assert now() - began <= 60.0
    await close_all([session, other])
