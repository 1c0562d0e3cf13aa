"""The session table without sockets or sleeps: executors are scripted, the clock is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.server.refusals import SessionRefused
from openenv_gym.server.session import Session, SessionKind
from openenv_gym.server.sessions import SessionTable
from openenv_gym.server.settings import ServerSettings
from openenv_gym.wire.messages import ErrorCode, ErrorReply, Op, Outcome, Reply, Request

RESET, STEP = Request(Op.RESET), Request(Op.STEP)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ScriptedExecutor:
    """Answers at once unless a gate holds it."""

    immediate = False

    def __init__(self) -> None:
        self.usable = True
        self.open_gate, self.call_gate, self.close_gate = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for gate in (self.open_gate, self.call_gate, self.close_gate):
            gate.set()
        self.failure: EnvironmentFailedError | None = None
        self.reply: Reply | Exception = Outcome({})
        self.requests: list[tuple[Request, float | None]] = []
        self.closed = 0

    async def open(self, timeout: float | None = None) -> None:
        await self.open_gate.wait()
        if self.failure is not None:
            raise self.failure

    async def handle(self, request: Request, timeout: float | None = None) -> Reply:
        self.requests.append((request, timeout))
        await self.call_gate.wait()
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    def start(self, request: Request, timeout: float | None, done: Callable[[Any], None]) -> None:
        async def call() -> None:
            try:
                done(await self.handle(request, timeout))
            except Exception as error:  # noqa: BLE001 - handed on
                done(error)

        self.call = asyncio.create_task(call())

    async def close(self, timeout: float = 10.0) -> None:
        self.closed += 1
        await self.close_gate.wait()


class Table(SessionTable):
    """A table that remembers the executors it made."""

    def __init__(
        self, capacity: int = 8, prepare: Callable[[ScriptedExecutor], Any] = lambda executor: None
    ) -> None:
        self.executors: list[ScriptedExecutor] = []
        self.clock = Clock()

        def make() -> Any:
            executor = ScriptedExecutor()
            prepare(executor)
            self.executors.append(executor)
            return executor

        super().__init__(
            make,
            capacity=capacity,
            settings=ServerSettings(idle_timeout=600.0, step_timeout=60.0),
            environment_name="Scripted",
            clock=self.clock,
        )


async def refused(awaitable: Any) -> ErrorReply:
    with pytest.raises(SessionRefused) as caught:
        await awaitable
    return caught.value.reply


class Observer:
    """Keeps the replies to calls that were started."""

    def __init__(self) -> None:
        self.replies: dict[Session, Reply] = {}

    def occupancy_changed(self) -> None:
        pass

    def call_ended(self, session: Session, reply: Reply) -> None:
        self.replies[session] = reply

    def drain_began(self) -> None:
        pass

    def drain_ends(self) -> None:
        pass


Ask = Callable[..., Any]


@pytest.fixture(params=["awaited", "reported"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Make a call in either way: ``await ask(table, session, request)``."""

    async def awaited(table: Table, session: Session, call: Request, timeout: float | None = None) -> Reply:
        return await table.call(session, call, timeout)

    async def reported(table: Table, session: Session, call: Request, timeout: float | None = None) -> Reply:
        observer = table.observer = table.observer or Observer()
        table.start(session, call, 1e6 if timeout is None else timeout)
        while session not in observer.replies:  # noqa: ASYNC110 - no time passes
            await asyncio.sleep(0)
        return observer.replies.pop(session)

    return awaited if request.param == "awaited" else reported


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_session_answers_and_its_slot_is_freed():
    table = Table()
    session = await table.open(SessionKind.WEBSOCKET)
    assert isinstance(await table.call(session, RESET), Outcome)
    assert table.status().active_sessions == 1
    await table.detach(session, "test")
    assert table.active == 0
    assert table.executors[0].closed == 1


async def test_ids_are_long_and_labels_do_not_give_them_away():
    table = Table()
    first, second = await table.open(SessionKind.WEBSOCKET), await table.open(SessionKind.WEBSOCKET)
    assert first.id != second.id
    assert len(first.id) >= 32
    assert first.label not in first.id


async def test_beyond_capacity_is_refused_with_the_counts():
    table = Table(capacity=1)
    await table.open(SessionKind.WEBSOCKET)
    reply = await refused(table.open(SessionKind.WEBSOCKET))
    assert reply.code == ErrorCode.CAPACITY_REACHED
    assert (reply.details["active_sessions"], reply.details["max_sessions"]) == (1, 1)


async def test_opening_waits_for_a_slot_that_is_being_freed():
    table = Table(capacity=1, prepare=lambda executor: executor.close_gate.clear())
    first = await table.open(SessionKind.WEBSOCKET)
    table.detach(first, "test")
    second = asyncio.create_task(table.open(SessionKind.WEBSOCKET))
    await settle()
    assert len(table.executors) == 1, "the second environment exists beside the first"
    table.executors[0].close_gate.set()
    assert (await second).closing is None


async def test_a_failed_construction_leaks_no_slot():
    def fail(executor: ScriptedExecutor) -> None:
        executor.failure = EnvironmentFailedError(
            "no GPU", ErrorCode.FACTORY_ERROR, {"factory_name": "Scripted"}
        )

    table = Table(capacity=1, prepare=fail)
    for _ in range(3):
        reply = await refused(table.open(SessionKind.WEBSOCKET))
        assert (reply.code, reply.message) == (ErrorCode.FACTORY_ERROR, "no GPU")
    assert table.active == 0
    assert [executor.closed for executor in table.executors] == [1, 1, 1]


async def test_a_client_that_leaves_during_construction_leaks_no_slot():
    table = Table(capacity=1, prepare=lambda executor: executor.open_gate.clear())
    opening = asyncio.create_task(table.open(SessionKind.WEBSOCKET))
    await settle()
    assert table.active == 1
    opening.cancel()
    await settle()
    assert table.active == 0
    assert table.executors[0].closed == 1


async def test_http_sessions_take_a_quarter_and_at_least_one():
    for capacity, quota in ((8, 2), (4, 1), (1, 1)):
        table = Table(capacity)
        for _ in range(quota):
            await table.open(SessionKind.HTTP)
        reply = await refused(table.open(SessionKind.HTTP))
        assert reply.code == ErrorCode.CAPACITY_REACHED
        for _ in range(capacity - quota):
            await table.open(SessionKind.MCP)
        assert (await refused(table.open(SessionKind.MCP))).code == ErrorCode.CAPACITY_REACHED


async def test_detached_sessions_expire_and_connected_ones_never():
    table = Table()
    http, socket = await table.open(SessionKind.HTTP), await table.open(SessionKind.WEBSOCKET)
    table.clock.now += 599
    assert table.expire_idle() == []
    table.clock.now += 1
    await asyncio.gather(*table.expire_idle())
    assert http.closing is not None
    assert socket.closing is None
    with pytest.raises(SessionRefused) as caught:
        table.find(http.id)
    assert caught.value.reply.reason == "closed"
    await asyncio.gather(table.detach(socket, "test"))


async def test_a_call_keeps_its_session_from_expiring():
    table = Table()
    session = await table.open(SessionKind.HTTP)
    table.executors[0].call_gate.clear()
    call = asyncio.create_task(table.call(session, RESET))
    await settle()
    table.clock.now += 10_000
    assert table.expire_idle() == []
    table.executors[0].call_gate.set()
    await call
    table.clock.now += 599
    assert table.expire_idle() == [], "idling counts from the end of the call"


async def test_a_session_does_not_expire_while_it_is_being_opened():
    table = Table(prepare=lambda executor: executor.open_gate.clear())
    opening = asyncio.create_task(table.open(SessionKind.HTTP))
    await settle()
    table.clock.now += 10_000
    assert table.expire_idle() == []
    table.executors[0].open_gate.set()
    session = await opening
    assert table.expire_idle() == [], "idling counts from the opening's end"
    table.clock.now += 600
    await asyncio.gather(*table.expire_idle())
    assert session.closing is not None


async def test_one_attachment_at_a_time():
    table = Table()
    session = await table.open(SessionKind.MCP)
    assert table.attach(session.id) is session
    with pytest.raises(SessionRefused, match="already has"):
        table.attach(session.id)
    table.clock.now += 10_000
    assert table.expire_idle() == [], "it is attached"
    assert table.detach(session, "test") is None
    assert table.attach(session.id) is session


async def test_an_unknown_id_is_refused():
    with pytest.raises(SessionRefused) as caught:
        Table().attach("guessed")
    assert caught.value.reply.code == ErrorCode.SESSION_ERROR


async def test_a_second_call_is_refused_while_the_first_runs():
    table = Table()
    session = await table.open(SessionKind.HTTP)
    table.executors[0].call_gate.clear()
    first = asyncio.create_task(table.call(session, RESET))
    await settle()
    reply = await table.call(session, RESET)
    assert isinstance(reply, ErrorReply)
    assert reply.reason == "busy"
    table.executors[0].call_gate.set()
    assert isinstance(await first, Outcome)


async def test_a_deadline_reply_ends_the_session(ask: Ask):
    table = Table()
    session = await table.open(SessionKind.WEBSOCKET)
    table.executors[0].reply = ErrorReply(ErrorCode.EXECUTION_ERROR, "late", {"reason": "deadline"})
    await ask(table, session, RESET)
    await settle()
    assert table.active == 0


async def test_an_executor_that_raises_ends_the_session_with_a_reply(ask: Ask):
    table = Table()
    session = await table.open(SessionKind.WEBSOCKET)
    table.executors[0].reply = RuntimeError("a bug of ours")
    reply = await ask(table, session, RESET)
    assert isinstance(reply, ErrorReply)
    assert (reply.reason, "a bug of ours" in reply.message) == ("crashed", True)
    await settle()
    assert table.active == 0


async def test_a_cancelled_call_ends_the_session():
    table = Table()
    session = await table.open(SessionKind.WEBSOCKET)
    table.executors[0].call_gate.clear()
    call = asyncio.create_task(table.call(session, RESET))
    await settle()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert session.ended
    await asyncio.gather(table.detach(session, "test"))
    assert table.active == 0


@pytest.mark.parametrize(("asked", "given"), [(None, 60.0), (5.0, 5.0), (1000.0, 60.0)])
async def test_a_call_never_gets_more_time_than_the_server_allows(ask: Ask, asked: Any, given: float):
    table = Table()
    session = await table.open(SessionKind.WEBSOCKET)
    await ask(table, session, RESET, asked)
    assert table.executors[0].requests == [(RESET, given)]


async def test_draining_waits_for_running_calls_and_refuses_new_ones(ask: Ask):
    table = Table()
    busy, idle = await table.open(SessionKind.WEBSOCKET), await table.open(SessionKind.WEBSOCKET)
    await table.call(busy, RESET)
    table.executors[0].call_gate.clear()
    running = asyncio.create_task(ask(table, busy, STEP))
    await settle()
    draining = asyncio.create_task(table.drain(grace=60))
    await settle()
    assert (await refused(table.open(SessionKind.WEBSOCKET))).reason == "draining"
    reply = await ask(table, idle, RESET)
    assert isinstance(reply, ErrorReply)
    assert reply.reason == "draining"
    table.executors[0].call_gate.set()
    assert isinstance(await running, Outcome)
    await draining
    assert table.active == 0


async def test_draining_gives_up_on_what_does_not_finish():
    table = Table()
    session = await table.open(SessionKind.WEBSOCKET)
    table.executors[0].call_gate.clear()
    running = asyncio.create_task(table.call(session, RESET))
    await settle()
    await table.drain(grace=0)
    assert table.active == 0
    table.executors[0].call_gate.set()
    await running


async def test_draining_closes_a_session_that_is_just_being_opened():
    table = Table(prepare=lambda executor: executor.open_gate.clear())
    opening = asyncio.create_task(table.open(SessionKind.WEBSOCKET))
    await settle()
    draining = asyncio.create_task(table.drain(grace=0))
    await settle()
    table.executors[0].open_gate.set()
    assert (await refused(opening)).reason == "draining"
    await draining
    assert table.active == 0
    assert table.executors[0].closed == 1


async def test_info_tells_about_open_sessions_only():
    table = Table()
    session = await table.open(SessionKind.HTTP)
    await table.call(session, RESET)
    await table.call(session, STEP)
    info = table.info(session.id)
    assert info is not None
    assert (info.session_id, info.step_count, info.environment_type) == (session.id, 1, "Scripted")
    await table.close(session, "test")
    assert table.info(session.id) is None


async def test_the_reaper_runs_by_itself():
    table = Table()
    table._settings = ServerSettings(idle_timeout=0.001)
    session = await table.open(SessionKind.HTTP)
    table.clock.now += 1
    assert table._reaper is not None
    await asyncio.wait_for(table._reaper, 30)
    assert session.ended
