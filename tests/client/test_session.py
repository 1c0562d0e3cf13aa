"""`RemoteSession` over memory, in virtual time: deadlines, losses, and never a silent fresh episode."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from openenv_gym.client.session import RemoteSession
from openenv_gym.errors import (
    CapacityError,
    ClosedError,
    ConcurrentCallError,
    EnvironmentFailedError,
    InvalidActionError,
    OpenEnvGymError,
    ProtocolError,
    ServerUnreachableError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.providers.endpoint import Endpoint
from openenv_gym.wire.messages import ErrorCode, ErrorReply, McpReply, Op, Outcome, Request, StateReply
from tests.client.dialect_server import DialectServer, MemoryConnector
from tests.client.virtual_time import now, virtual_time

RESET = Request(Op.RESET)
STATE = Request(Op.STATE)


def step(**action: Any) -> Request:
    return Request(Op.STEP, action)


def session_at(server: DialectServer) -> RemoteSession:
    return RemoteSession(MemoryConnector(a=server), Endpoint("a"), connect_timeout=10.0)


async def said(session: RemoteSession, text: str, timeout: float | None = 5.0) -> Any:
    reply = await session.call(step(say=text), timeout)
    assert isinstance(reply, Outcome)
    return reply.observation["steps"]


@virtual_time
async def test_every_operation() -> None:
    session = session_at(DialectServer())
    assert await session.call(RESET, 5.0) == Outcome(
        {"said": "", "steps": 0, "metadata": {}}, None, False, False, {}
    )
    assert await said(session, "hello") == 1
    assert await session.call(STATE, 5.0) == StateReply({"episode_id": "e", "step_count": 1})
    mcp = await session.call(Request(Op.MCP, {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}), 5.0)
    assert mcp == McpReply({"jsonrpc": "2.0", "id": 7, "result": {}})
    await session.close()


@virtual_time
async def test_a_pause_of_any_length_loses_nothing() -> None:
    server = DialectServer()
    session = session_at(server)
    await session.call(RESET, 1.0)
    for count in (1, 2, 3):
        await asyncio.sleep(600)
        assert await said(session, "still here", timeout=1.0) == count
    assert server.opened == 1
    await session.close()


@virtual_time
async def test_a_deadline_ends_the_session_and_frees_its_slot() -> None:
    server = DialectServer(capacity=1)
    session = session_at(server)
    await session.call(RESET, 5.0)
    began = now()
    with pytest.raises(StepTimeoutError, match=r"step\(\).*7 s.*unknown"):
        await session.call(step(do="hang"), 7.0)
    assert now() - began == 7.0
    for request in (step(say="x"), STATE):
        with pytest.raises(SessionLostError, match=r"reset\(\)"):
            await session.call(request, 5.0)
    assert server.opened == 1
    await session.call(RESET, 5.0)
    assert server.opened == 2
    assert await said(session, "again") == 1
    await session.close()


@pytest.mark.parametrize("earlier", [[100.0], [3.0], [100.0, 3.0], [3.0, 100.0], [None]])
@virtual_time
async def test_a_deadline_is_the_calls_own(earlier: list[float | None]) -> None:
    session = session_at(DialectServer())
    await session.call(RESET, 60.0)
    for timeout in earlier:
        await said(session, "quick", timeout)
        await asyncio.sleep(1.0)
    began = now()
    with pytest.raises(StepTimeoutError):
        await session.call(step(do="hang"), 20.0)
    assert now() - began == pytest.approx(20.0)
    await session.close()


@virtual_time
async def test_without_a_deadline_a_call_waits() -> None:
    session = session_at(DialectServer())
    await session.call(RESET, None)
    call = asyncio.create_task(session.call(step(do="hang"), None))
    await asyncio.sleep(100_000)
    assert not call.done()
    await session.close()
    with pytest.raises(SessionLostError):
        await call


@virtual_time
async def test_a_second_call_is_refused_and_the_first_goes_on() -> None:
    session = session_at(DialectServer())
    first = asyncio.create_task(session.call(RESET, 5.0))
    await asyncio.sleep(0)
    with pytest.raises(ConcurrentCallError):
        await session.call(step(say="x"), 5.0)
    await first
    assert await said(session, "fine") == 1
    await session.close()


@virtual_time
async def test_a_cancelled_call_gives_the_session_up_at_once() -> None:
    server = DialectServer()
    session = session_at(server)
    await session.call(RESET, 5.0)
    call = asyncio.create_task(session.call(step(do="hang"), None))
    await asyncio.sleep(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0.001)
    assert server.live == 0
    with pytest.raises(SessionLostError, match="cancelled"):
        await session.call(STATE, 5.0)
    await session.call(RESET, 5.0)
    await session.close()


@virtual_time
async def test_a_late_reply_is_never_taken_for_the_next_calls() -> None:
    session = session_at(DialectServer())
    await session.call(RESET, 5.0)
    call = asyncio.create_task(session.call(step(say="first"), None))
    await asyncio.sleep(0)  # sent; its reply is on the way
    call.cancel()
    reset = asyncio.create_task(session.call(RESET, 5.0))
    with pytest.raises(asyncio.CancelledError):
        await call
    outcome = await reset
    assert isinstance(outcome, Outcome)
    assert outcome.observation["steps"] == 0
    assert await said(session, "second") == 1
    await session.close()


LOSSES = [
    ({"do": "cut"}, SessionLostError, "cut"),
    ({"do": "close", "code": 1000}, SessionLostError, "the server closed"),
    ({"do": "close", "code": 1009}, SessionLostError, "larger than its limit"),
    ({"do": "close", "code": 1012}, SessionLostError, "1012"),
    ({"do": "raw", "frames": ["garbage"]}, ProtocolError, "not JSON"),
    ({"do": "raw", "frames": ['{"type": "bye"}']}, ProtocolError, "not a reply"),
    (
        {"do": "raw", "frames": ['{"type": "observation", "data": {"observation": 1}}']},
        ProtocolError,
        "not a",
    ),
    ({"do": "raw", "frames": ['{"type": "state", "data": {}}']}, ProtocolError, "StateReply"),
    ({"do": "error", "code": "SESSION_ERROR"}, SessionLostError, "as ordered"),
    (
        {"do": "error", "code": "EXECUTION_ERROR", "details": {"reason": "deadline"}},
        StepTimeoutError,
        "as ordered",
    ),
    (
        {"do": "error", "code": "EXECUTION_ERROR", "details": {"reason": "crashed"}},
        SessionLostError,
        "as ordered",
    ),
]


@pytest.mark.parametrize(("action", "kind", "text"), LOSSES)
@virtual_time
async def test_whatever_breaks_the_session_is_said_until_a_reset(
    action: dict[str, Any], kind: type[OpenEnvGymError], text: str
) -> None:
    server = DialectServer(capacity=1)
    session = session_at(server)
    await session.call(RESET, 5.0)
    await said(session, "one")
    with pytest.raises(kind, match=text):
        await session.call(Request(Op.STEP, action), 5.0)
    for _ in range(2):
        with pytest.raises(SessionLostError, match=r"reset\(\)"):
            await session.call(step(say="two"), 5.0)
    await session.call(RESET, 5.0)
    assert await said(session, "one") == 1
    assert (server.opened, server.live) == (2, 1)
    await session.close()
    assert server.live == 0


@virtual_time
async def test_a_reply_nobody_asked_for_ends_the_session() -> None:
    session = session_at(DialectServer())
    await session.call(RESET, 5.0)
    outcome = json.dumps({"type": "observation", "data": {"observation": {}}})
    await session.call(Request(Op.STEP, {"do": "raw", "frames": [outcome, outcome]}), 5.0)
    await asyncio.sleep(1)
    with pytest.raises(SessionLostError, match="nobody asked for"):
        await session.call(STATE, 5.0)
    await session.close()


@virtual_time
async def test_a_loss_between_calls_is_noticed_before_the_next() -> None:
    server = DialectServer()
    session = session_at(server)
    await session.call(RESET, 5.0)
    outcome = json.dumps({"type": "observation", "data": {"observation": {}}})
    farewell = json.dumps({"type": "error", "data": {"message": "idle too long", "code": "SESSION_ERROR"}})
    await session.call(Request(Op.STEP, {"do": "raw", "frames": [outcome, farewell]}), 5.0)
    await asyncio.sleep(1)
    with pytest.raises(SessionLostError, match="idle too long"):
        await said(session, "hello?")
    assert server.opened == 1
    await session.close()


@pytest.mark.parametrize("code", ["EXECUTION_ERROR", "VALIDATION_ERROR", "SOMETHING_NEW"])
@virtual_time
async def test_the_environments_errors_leave_the_session_alone(code: str) -> None:
    server = DialectServer()
    session = session_at(server)
    await session.call(RESET, 5.0)
    with pytest.raises((EnvironmentFailedError, InvalidActionError), match="as ordered"):
        await session.call(step(do="error", code=code), 5.0)
    assert await said(session, "go on") == 1
    assert server.opened == 1
    await session.close()


@pytest.mark.parametrize(
    "payload", [{"x": object()}, {"x": "\ud800"}, {"x": {(1, 2): 3}}], ids=["object", "surrogate", "key"]
)
@virtual_time
async def test_what_cannot_be_sent_changes_nothing(payload: dict[str, Any]) -> None:
    server = DialectServer()
    session = session_at(server)
    await session.call(RESET, 5.0)
    with pytest.raises(InvalidActionError, match="cannot be sent"):
        await session.call(Request(Op.STEP, payload), 5.0)
    assert await said(session, "go on") == 1
    await session.close()


# --- opening and closing -------------------------------------------------------------------------------


@virtual_time
async def test_a_server_that_is_not_there_yet() -> None:
    connector = MemoryConnector()
    session = RemoteSession(connector, Endpoint("a"))
    with pytest.raises(ServerUnreachableError):
        await session.call(RESET, 5.0)
    connector.servers["a"] = DialectServer()
    await session.call(RESET, 5.0)
    await session.close()


@pytest.mark.parametrize("connect_first", [False, True])
@virtual_time
async def test_a_refusal_is_told_whenever_it_arrives(connect_first: bool) -> None:
    server = DialectServer()
    server.refusal = ErrorReply(ErrorCode.CAPACITY_REACHED, "all taken", {"retry_after": 2})
    session = session_at(server)
    if connect_first:
        await session.connect()
        await asyncio.sleep(1)  # the refusal comes while nothing is asked
    with pytest.raises(CapacityError, match="all taken") as full:
        await session.call(RESET, 5.0)
    assert full.value.retry_after == 2
    server.refusal = None
    await session.call(RESET, 5.0)
    assert await said(session, "in") == 1
    await session.close()


@virtual_time
async def test_after_a_loss_before_any_episode_the_next_call_just_connects() -> None:
    server = DialectServer()
    session = session_at(server)
    await session.connect()
    await session.disconnect()
    assert isinstance(await session.call(STATE, 5.0), StateReply)
    assert server.opened == 2
    await session.close()


@virtual_time
async def test_disconnect_ends_the_episode_but_not_the_client() -> None:
    session = session_at(DialectServer())
    await session.call(RESET, 5.0)
    await session.disconnect()
    with pytest.raises(SessionLostError, match="disconnect"):
        await said(session, "x")
    await session.connect()
    with pytest.raises(SessionLostError, match="disconnect"):
        await said(session, "x")
    await session.call(RESET, 5.0)
    assert await said(session, "x") == 1
    await session.close()


@virtual_time
async def test_closing_waits_until_the_slot_is_free_and_works_twice() -> None:
    server = DialectServer(goodbye=1.5)
    session = session_at(server)
    await session.call(RESET, 5.0)
    await session.close()
    assert server.live == 0
    assert server.heard[-1] == Request(Op.CLOSE)
    await session.close()
    for request in (RESET, step(say="x")):
        with pytest.raises(ClosedError):
            await session.call(request, 5.0)
    with pytest.raises(ClosedError):
        await session.connect()


@virtual_time
async def test_closing_is_bounded_when_the_server_is_slow_or_hangs() -> None:
    server = DialectServer(goodbye=10_000)
    session = session_at(server)
    await session.call(RESET, 5.0)
    began = now()
    await session.close()
    assert now() - began < 10
    session = session_at(server)
    await session.call(RESET, 5.0)
    call = asyncio.create_task(session.call(step(do="hang"), None))
    await asyncio.sleep(1)
    began = now()
    await session.close()
    assert now() - began < 10
    with pytest.raises(SessionLostError, match="closed while"):
        await call


@virtual_time
async def test_a_reset_waits_until_the_old_session_has_left_its_slot() -> None:
    server = DialectServer(capacity=1, goodbye=2.0)
    session = session_at(server)
    await session.call(RESET, 5.0)
    leaving = asyncio.create_task(session.disconnect())
    await asyncio.sleep(0)
    await session.call(RESET, 5.0)
    assert server.opened == 2
    await leaving
    await session.close()


@virtual_time
async def test_closing_while_a_connection_is_opened_leaves_none() -> None:
    server = DialectServer()
    session = session_at(server)
    call = asyncio.create_task(session.call(RESET, 5.0))
    await asyncio.sleep(0)
    await session.close()
    with pytest.raises(SessionLostError):
        await call
    await asyncio.sleep(1)
    assert server.live == 0


@virtual_time
async def test_connecting_twice_at_once_opens_one_session() -> None:
    server = DialectServer()
    session = session_at(server)
    await asyncio.gather(session.connect(), session.connect(), session.call(RESET, 5.0))
    assert server.opened == 1
    await session.close()
