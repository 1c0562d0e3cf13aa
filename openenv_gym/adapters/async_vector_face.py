"""The asyncio face of a vector environment, for rollout loops that await model and environment alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from openenv_gym.adapters.lane_engine import Batch, LaneEngine, Plan, ResetBatch


class AsyncVectorFace:
    """`RemoteVectorEnv`'s methods as coroutines, over the same lanes; get it as ``envs.aio``.

    Every method means what the synchronous one of that name means.
    """

    def __init__(self, engine: LaneEngine) -> None:
        self._engine = engine

    async def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> ResetBatch:
        """Start episodes, all lanes at once."""
        result: ResetBatch = await self._run(self._engine.reset_plan(seed, options))
        return result

    async def step(self, actions: Any) -> Batch:
        """Step every lane once."""
        batch: Batch = await self._run(self._engine.step_plan(actions))
        return batch

    def send(self, actions: Any, env_ids: Sequence[int]) -> None:
        """Start a step on some lanes and return at once."""
        self._engine.send(actions, env_ids)

    def send_reset(
        self,
        env_ids: Sequence[int] | None = None,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Start a reset on some lanes (default: all) and return at once."""
        self._engine.send_reset(env_ids, seed, options)

    async def recv(self, min_envs: int = 1, timeout: float | None = None) -> Batch:
        """Wait until some lanes are ready and return all that are."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while missing := self._engine.missing(min_envs):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            completions = await self._engine.pool.acollect(missing, left)
            self._engine.take(completions)
            if deadline is not None and len(completions) < missing:
                break
        return self._engine.hand_out()

    async def _run(self, plan: Plan) -> Any:
        calls = next(plan)
        self._engine.submit(calls)
        try:
            while True:
                calls = plan.send(await self._engine.pool.acollect(len(calls), None))
                self._engine.submit(calls)
        except StopIteration as stop:
            return stop.value
