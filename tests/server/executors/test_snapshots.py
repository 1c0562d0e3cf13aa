"""Snapshots wherever an environment runs: of one executor, and restored at another."""

from __future__ import annotations

import asyncio
import gc
import pickle
import weakref
from typing import Any

import pytest

from openenv_gym.server.jobs import Snapshot
from openenv_gym.wire.messages import ErrorReply, Op, Outcome, Request, RestoredReply
from tests.server.executors.conftest import Make
from tests.server.sample_environments import AsyncGambler, Gambler, Heard, Say

MODELS = {"action_cls": Say, "observation_cls": Heard}
ALL = [
    pytest.param(Gambler, "inline", id="inline"),
    pytest.param(AsyncGambler, "inline", id="inline of async"),
    pytest.param(Gambler, "async", id="async of sync"),
    pytest.param(AsyncGambler, "async", id="async"),
    pytest.param(Gambler, "thread", id="thread"),
    pytest.param(Gambler, "process", id="process"),
    pytest.param(AsyncGambler, "process", id="process of async"),
]


class Weighty:
    """Can be watched going."""


class Careless(Gambler):
    """Gives away what no other process can take, or what needs ``async``."""

    def snapshot(self) -> Any:
        return lambda: None

    def restore(self, state: Any) -> Any:
        async def later() -> None:
            pass

        return later()


class Heavy(Gambler):
    def snapshot(self) -> Any:
        return Weighty()

    def restore(self, state: Any) -> None:
        assert isinstance(state, Weighty)


async def step(executor: Any, message: str = "x") -> Any:
    return await executor.handle(Request(Op.STEP, {"message": message}), 30)


@pytest.mark.parametrize(("env", "execution"), ALL)
async def test_a_state_is_taken_on_here_and_elsewhere(make: Make, env: type, execution: str) -> None:
    executor, other = make(env, execution, **MODELS), make(env, execution, **MODELS)
    await asyncio.gather(executor.open(), other.open())
    await executor.handle(Request(Op.RESET, {"seed": 5}), 30)
    await step(executor)
    snapshot = await executor.snapshot(30)
    assert isinstance(snapshot, Snapshot)
    assert isinstance(snapshot.state, bytes) == (execution == "process")
    first = [await step(executor) for _ in range(3)]
    for one in (executor, other, executor):
        assert await one.restore(snapshot.state, 30) == RestoredReply()
        assert [await step(one) for _ in range(3)] == first

    await step(executor, "snapshot")
    failed = await executor.snapshot(30)
    assert isinstance(failed, ErrorReply)
    assert (failed.message, failed.ends_session) == ("LookupError: lost the dice", False)
    assert isinstance(await step(executor), Outcome)


@pytest.mark.parametrize("execution", ["inline", "process"])
async def test_a_client_s_own_state_gets_nowhere(make: Make, execution: str) -> None:
    executor = make(Gambler, execution, **MODELS)
    await executor.open()
    reply = await executor.handle(Request(Op.RESTORE, {"state": pickle.dumps(1), "snapshot": "h"}), 30)
    assert isinstance(reply, ErrorReply)
    assert reply.code == "UNKNOWN_TYPE"


@pytest.mark.parametrize("execution", ["thread", "process"])
async def test_what_cannot_be_taken_on_is_an_error(make: Make, execution: str) -> None:
    executor = make(Careless, execution, **MODELS)
    await executor.open()
    await executor.handle(Request(Op.RESET), 30)
    snapshot = await executor.snapshot(30)
    if execution == "process":
        assert isinstance(snapshot, ErrorReply)
        assert "pickle" in snapshot.message
        for broken in (b"", b"no pickle", b"\x80\x05cnowhere\nnothing\n."):
            assert isinstance(await executor.restore(broken, 30), ErrorReply)
    else:
        assert isinstance(snapshot, Snapshot)
        reply = await executor.restore(snapshot.state, 30)
        assert isinstance(reply, ErrorReply)
        assert "restore() returned an awaitable" in reply.message
    assert isinstance(await step(executor), Outcome)


@pytest.mark.parametrize("execution", ["inline", "async", "thread"])
async def test_nothing_holds_a_state_but_whoever_keeps_it(make: Make, execution: str) -> None:
    executor = make(Heavy, execution, **MODELS)
    await executor.open()
    await executor.handle(Request(Op.RESET), 30)
    snapshot = await executor.snapshot(30)
    assert isinstance(snapshot, Snapshot)
    await executor.restore(snapshot.state, 30)
    gone = weakref.ref(snapshot.state)
    del snapshot
    for _ in range(100):
        gc.collect()
        if gone() is None:
            break
        await asyncio.sleep(0.01)  # another thread may be about to let go
    assert gone() is None
