"""What holds wherever an environment runs: the same battery against all executions."""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openenv_gym.errors import EnvironmentFailedError, NotSupportedError
from openenv_gym.server.executors import Executor, Runaways
from openenv_gym.server.jobs import Answer, Question
from openenv_gym.wire.messages import (
    ErrorCode,
    ErrorReply,
    McpReply,
    Op,
    Outcome,
    Reason,
    Request,
    StateReply,
)
from tests.server import battery
from tests.server.executors.conftest import Make, until

ALL = [
    pytest.param(battery.Battery, "inline", id="inline"),
    pytest.param(battery.AsyncBattery, "inline", id="inline of async"),
    pytest.param(battery.AsyncBattery, "async", id="async"),
    pytest.param(battery.Battery, "async", id="async of sync"),
    pytest.param(battery.Battery, "thread", id="thread"),
    pytest.param(battery.Battery, "process", id="process"),
    pytest.param(battery.AsyncBattery, "process", id="process of async"),
]


async def reset(executor: Executor, **options: Any) -> Any:
    return await executor.handle(Request(Op.RESET, options), 30)


async def step(executor: Executor, what: str, text: str = "", timeout: float | None = 30) -> Any:
    return await executor.handle(Request(Op.STEP, {"what": what, "text": text}), timeout)


@pytest.mark.parametrize(("env", "execution"), ALL)
async def test_a_session_survives_every_error(make: Make, env: type, execution: str) -> None:
    executor = make(env, execution)
    await executor.open()

    assert (await reset(executor, seed=7, level=3)).observation == {"text": "level 3", "value": 7}
    assert (await step(executor, "echo", "héllo")) == Outcome({"text": "héllo", "value": None}, reward=0.5)

    unknown = await reset(executor, levl=3)
    assert (unknown.code, unknown.details["errors"][0]["loc"]) == (ErrorCode.VALIDATION_ERROR, ["levl"])
    assert "seed, episode_id, level, broken" in unknown.message
    ill_typed = await reset(executor, level="three")
    assert (ill_typed.code, ill_typed.details["errors"][0]["loc"]) == (ErrorCode.VALIDATION_ERROR, ["level"])
    bad_action = await executor.handle(Request(Op.STEP, {"what": 5}), 30)
    assert (bad_action.code, bad_action.details["errors"][0]["loc"]) == (ErrorCode.VALIDATION_ERROR, ["what"])

    for what, text, expected in (
        ("raise", "bishop", "ValueError: no bishop"),
        ("exit", "", "SystemExit: 3"),
        ("interrupt", "", "KeyboardInterrupt"),
        ("cancel", "", "CancelledError"),
        ("inner validation", "x", "ValidationError: "),
        ("wrong type", "", "TypeError: step() returned dict, not Seen"),
        ("unsendable", "", "TypeError: builtins.object has no JSON form"),
    ):
        reply = await step(executor, what, text)
        assert isinstance(reply, ErrorReply), what
        assert reply.code == ErrorCode.EXECUTION_ERROR
        assert reply.message.startswith(expected)
        assert reply.details == {"type": expected.partition(":")[0]}
        assert not reply.ends_session
    assert (await reset(executor, broken=True)).message == "RuntimeError: the level file is missing"
    refused = await step(executor, "refuse", "e2e9")
    assert (refused.code, refused.message) == (ErrorCode.VALIDATION_ERROR, "e2e9 is an illegal move")
    assert (await step(executor, "not reset")).reason == Reason.NOT_RESET

    assert math.isnan((await step(executor, "nan")).reward)
    assert len((await step(executor, "huge")).observation["text"]) == 5_000_000
    array = (await step(executor, "array")).observation["value"]
    assert isinstance(array, np.ndarray)
    assert (array.dtype, array.tolist()) == (np.uint8, [[0, 1, 2], [3, 4, 5]])
    assert (await step(executor, "timeout", timeout=12.5)).observation["value"] == 12.5
    assert (await step(executor, "timeout", timeout=None)).observation["value"] is None

    await reset(executor, episode_id="e1")
    await step(executor, "echo")
    assert await executor.handle(Request(Op.STATE), 30) == StateReply({"episode_id": "e1", "step_count": 1})
    mcp = await executor.handle(Request(Op.MCP, {"jsonrpc": "2.0", "id": 4, "method": "tools/list"}), 30)
    assert isinstance(mcp, McpReply)
    assert (mcp.data["id"], mcp.data["error"]["code"]) == (4, -32601)
    assert (await executor.ask("get_metadata"))["name"] == env.__name__
    with pytest.raises(NotSupportedError, match="no list_splits"):
        await executor.ask("list_splits")

    assert executor.usable
    await executor.close()
    await executor.close()
    assert not executor.usable
    assert (await step(executor, "echo")).reason == Reason.CLOSED


@pytest.mark.parametrize(("env", "execution"), ALL)
async def test_a_call_can_report_to_a_callback(make: Make, env: type, execution: str) -> None:
    executor = make(env, execution)
    await executor.open()
    reports: list[Any] = []

    async def report_of(job: Any) -> Any:
        executor.start(job, 30, reports.append)
        await until(lambda: bool(reports))
        return reports.pop()

    spoken = await report_of(Request(Op.STEP, {"what": "echo", "text": "hi"}))
    assert spoken == Outcome({"text": "hi", "value": None}, reward=0.5)
    assert (await report_of(Request(Op.STEP, {"what": "raise"}))).details == {"type": "ValueError"}
    assert isinstance(await report_of(Question("get_metadata")), Answer)
    await executor.close()
    assert (await report_of(Request(Op.STATE))).reason == Reason.CLOSED
    assert not reports


@pytest.mark.parametrize(
    ("env", "execution"),
    [
        (battery.Ledger, "inline"),
        (battery.AsyncLedger, "async"),
        (battery.Ledger, "thread"),
        (battery.AsyncLedger, "process"),
    ],
)
async def test_everything_of_a_session_runs_in_one_thread(
    make: Make, env: type, execution: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    monkeypatch.setenv("LEDGER", str(path))
    executor = make(env, execution)
    await executor.open()
    assert isinstance(await step(executor, "write", "first"), Outcome)
    await executor.close()
    with sqlite3.connect(path) as database:
        rows = database.execute("select text from entries").fetchall()
    database.close()
    assert rows == [("first",), ("closed",)]


@pytest.mark.parametrize("execution", ["inline", "async", "thread", "process"])
async def test_an_environment_that_cannot_be_made(make: Make, execution: str) -> None:
    executor = make(battery.Unmakeable, execution)
    with pytest.raises(EnvironmentFailedError, match="OSError: the game's files are missing") as caught:
        await executor.open()
    assert caught.value.code == ErrorCode.FACTORY_ERROR
    assert caught.value.details == {"type": "OSError", "factory_name": "Unmakeable"}
    assert not executor.usable
    await executor.close()


@pytest.mark.parametrize("execution", ["thread", "process"])
async def test_making_an_environment_has_a_deadline(make: Make, execution: str, runaways: Runaways) -> None:
    executor = make(battery.HangsWhenMade, execution)
    with pytest.raises(EnvironmentFailedError, match=r"could not be made within 0\.05 s") as caught:
        await executor.open(0.05)
    assert caught.value.details["reason"] == Reason.DEADLINE
    await executor.close()
    assert runaways.count == (1 if execution == "thread" else 0)


@pytest.mark.parametrize(
    ("env", "execution", "what"),
    [
        (battery.AsyncBattery, "inline", "hang"),
        (battery.AsyncBattery, "async", "hang"),
        (battery.Battery, "process", "hang"),
    ],
)
async def test_a_call_past_its_deadline_is_ended(
    make: Make, env: type, execution: str, what: str, runaways: Runaways
) -> None:
    executor = make(env, execution)
    await executor.open()
    reply = await step(executor, what, timeout=0.05)
    assert (reply.code, reply.reason) == (ErrorCode.EXECUTION_ERROR, Reason.DEADLINE)
    assert reply.ends_session
    assert not executor.usable
    await executor.close()
    await until(lambda: runaways.count == 0)


@pytest.mark.parametrize(("env", "execution"), [(battery.Battery, "thread"), (battery.AsyncBattery, "async")])
async def test_a_deadline_is_its_own_calls_alone(make: Make, env: type, execution: str) -> None:
    executor = make(env, execution)
    await executor.open()
    for timeout in (0.2, 0.1, None, 5.0):
        assert (await step(executor, "echo", "quick", timeout=timeout)).observation["text"] == "quick"
    await asyncio.sleep(0.3)  # beyond the first deadlines, with no call running
    assert (await step(executor, "echo", "still there")).observation["text"] == "still there"
    assert (await step(executor, "hang", timeout=0.05)).reason == Reason.DEADLINE
    await executor.close(0.05)


@pytest.mark.parametrize(
    ("env", "execution", "what"),
    [
        (battery.Battery, "thread", "hang"),
        (battery.Battery, "async", "hang"),
        (battery.AsyncBattery, "async", "hang stubbornly"),
    ],
)
async def test_a_call_that_cannot_be_ended_is_counted_while_it_runs(
    make: Make, env: type, execution: str, what: str, runaways: Runaways
) -> None:
    executor = make(env, execution)
    await executor.open()
    reply = await step(executor, what, timeout=0.05)
    assert reply.reason == Reason.DEADLINE
    assert not executor.usable
    assert runaways.count == 1
    await executor.close()
    assert runaways.count == 1
    battery.release.set()
    await until(lambda: runaways.count == 0)


@pytest.mark.parametrize(
    ("env", "execution"),
    [(battery.Battery, "thread"), (battery.AsyncBattery, "async"), (battery.Battery, "process")],
)
async def test_a_client_that_leaves_in_the_middle_of_a_call(make: Make, env: type, execution: str) -> None:
    executor = make(env, execution)
    await executor.open()
    call = asyncio.create_task(step(executor, "hang"))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not executor.usable
    await executor.close(0.05)


@pytest.mark.parametrize(
    ("env", "execution"),
    [(battery.Battery, "thread"), (battery.AsyncBattery, "async"), (battery.Battery, "process")],
)
async def test_closing_answers_the_running_call(make: Make, env: type, execution: str) -> None:
    executor = make(env, execution)
    await executor.open()
    call = asyncio.create_task(step(executor, "hang"))
    await asyncio.sleep(0)
    await executor.close(0.05)
    assert (await call).reason == Reason.CLOSED


@pytest.mark.parametrize(
    ("env", "execution"),
    [
        (battery.HangsWhenClosed, "thread"),
        (battery.HangsWhenClosedAsync, "async"),
        (battery.HangsWhenClosed, "process"),
        (battery.RaisesWhenClosed, "inline"),
        (battery.RaisesWhenClosed, "thread"),
        (battery.RaisesWhenClosed, "async"),
    ],
)
async def test_closing_neither_hangs_nor_raises(make: Make, env: type, execution: str) -> None:
    executor = make(env, execution)
    await executor.open()
    await executor.close(0.05)
    assert not executor.usable


@pytest.mark.parametrize("execution", ["inline", "async", "thread", "process"])
async def test_an_environment_that_inherits_nothing(make: Make, execution: str) -> None:
    executor = make(
        battery.Foreign,
        execution,
        action_cls=battery.PlainAction,
        observation_cls=battery.PlainObservation,
        max_sessions=1,
    )
    await executor.open()
    first = await reset(executor, seed=3, task="chess")
    assert first == Outcome({"board": "chess", "truncated": True}, metadata={"dropped": ["seed"]})
    reply = await executor.handle(Request(Op.STEP, {"move": "e4"}), 30)
    assert reply == Outcome({"board": "e4", "truncated": False}, reward=1.0)
    assert (await executor.handle(Request(Op.STEP, {"move": "e5"}), 30)).done
    assert await executor.handle(Request(Op.STATE), 30) == StateReply({"moves": ["e4", "e5"]})
    with pytest.raises(NotSupportedError):
        await executor.ask("get_metadata")


async def test_sessions_of_a_thread_or_process_do_not_wait_for_each_other(make: Make) -> None:
    executors = [make(battery.Battery, "thread") for _ in range(2)]
    for executor in executors:
        await executor.open()
    stuck = asyncio.create_task(step(executors[0], "hang"))
    assert isinstance(await step(executors[1], "echo"), Outcome)
    assert not stuck.done()
    battery.release.set()
    assert isinstance(await stuck, Outcome)


async def test_threads_and_processes_are_where_they_should_be(make: Make) -> None:
    places = {}
    for execution in ("inline", "thread", "process"):
        executors = [make(battery.Battery, execution) for _ in range(1 if execution == "process" else 2)]
        for executor in executors:
            await executor.open()
        places[execution] = [(await step(one, "where")).observation["value"] for one in executors]
    here = os.getpid()
    assert places["inline"][0] == places["inline"][1]
    assert [pid for pid, _ in places["thread"]] == [here, here]
    assert places["thread"][0] != places["thread"][1]
    assert places["process"][0][0] != here
