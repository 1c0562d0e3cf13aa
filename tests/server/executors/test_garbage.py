"""A closed session is freed at once, without the collector, which seldom looks at old objects."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from openenv_gym.server.definition import define
from openenv_gym.server.executors import make_executor
from tests.server import battery
from tests.server.executors.conftest import until
from tests.server.executors.test_every_execution import reset, step


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("env", "execution"),
    [
        pytest.param(battery.Battery, "inline", id="inline"),
        pytest.param(battery.AsyncBattery, "inline", id="inline of async"),
        pytest.param(battery.AsyncBattery, "async", id="async"),
        pytest.param(battery.Battery, "thread", id="thread"),
    ],
)
async def test_a_closed_session_is_freed_without_the_collector(
    env: type, execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[object]] = []

    class Watched(env):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            made.append(weakref.ref(self))

    definition = define(Watched, execution=execution, action_cls=battery.Do, observation_cls=battery.Seen)
    executor = make_executor(definition)
    lane = weakref.ref(executor)
    await executor.open()
    await reset(executor)
    await step(executor, "echo", "hi")
    await executor.close()
    del executor
    await asyncio.sleep(0)
    await until(lambda: made[0]() is None and lane() is None)
