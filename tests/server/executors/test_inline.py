from __future__ import annotations

import logging

import pytest

from openenv_gym.server.definition import define
from openenv_gym.server.executors import Runaways
from openenv_gym.server.executors.inline import InlineExecutor
from openenv_gym.wire.messages import Op, Request
from tests.server import battery


@pytest.mark.parametrize(("slow_call", "warnings"), [(0.0, 1), (3600.0, 0)])
async def test_a_slow_call_is_logged_once_a_session(
    slow_call: float, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    definition = define(battery.Battery, battery.Do, battery.Seen, execution="inline")
    executor = InlineExecutor(definition, Runaways(), slow_call)
    await executor.open()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await executor.handle(Request(Op.STEP, {"what": "echo"}))
    await executor.close()
    assert len(caplog.records) == warnings
    assert all("blocked the server's event loop" in record.message for record in caplog.records)
