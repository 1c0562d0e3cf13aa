"""Environments for these tests, in a module that a worker process imports quickly."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np

from openenv_gym.server import Observation
from tests.server.sample_environments import AsyncParrot, Heard, Parrot, Say


class Seen(Observation):
    picture: Any = None
    raw: Any = None


class Painter(Parrot):
    """Observes arrays and bytes."""

    EXECUTION = "inline"

    def step(self, action: Say, timeout_s: float | None = None) -> Seen:  # type: ignore[override]
        picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        return Seen(picture=picture, raw=b"\x00\xff", truncated=action.message == "cut", metadata={"a": 1})

    def reset(self, seed: int | None = None, episode_id: str | None = None, greeting: str = "") -> Seen:  # type: ignore[override]
        return Seen()


class ProcessPainter(Painter):
    EXECUTION = "process"


class HangingProcess(Parrot):
    EXECUTION = "process"

    def step(self, action: Say, timeout_s: float | None = None) -> Heard:
        if action.message == "hang":
            time.sleep(3600)
        return super().step(action, timeout_s)


class HangingAsync(AsyncParrot):
    async def step_async(self, action: Say, timeout_s: float | None = None, **kwargs: Any) -> Heard:
        if action.message == "hang":
            await asyncio.sleep(3600)
        return self.step(action, timeout_s)

    async def handle_mcp(self, message: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}
