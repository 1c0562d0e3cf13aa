"""What the synchronous and the asyncio vector environment share: plans of exchanges with a session pool.

A plan is a generator that yields the calls to make and is sent their results, until it returns the batch.
Who drives it decides how to wait: `RemoteVectorEnv` blocks, `AsyncVectorFace` awaits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space, create_empty_array
from numpy.typing import NDArray

from openenv_gym.adapters.arguments import check_reset_mask, lane_options, split_actions, spread_seeds
from openenv_gym.adapters.lanes import Calls, Completion, Lanes, TaskSampler
from openenv_gym.adapters.servers import Servers, connect
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import ClosedError, UsageError
from openenv_gym.wire.messages import Op

Plan = Generator[Calls, list[Completion], Any]
Batch = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]
ResetBatch = tuple[Any, dict[str, Any]]


class LaneEngine:
    """The lanes, the pool under them, and the plans for reset, step and partial receive.

    Args:
        servers: Where the sessions go; released by `close`.
        num_envs: How many lanes.
        autoreset_mode: Gymnasium's.
        max_episode_steps: Truncate an episode after so many steps.
        task_sampler: Gives the reset options of a lane whenever nobody else does.
        reset_timeout: Seconds a reset may take.
        step_timeout: Seconds a step may take.
        truncate_on_fault: End the lane's episode on a fault instead of raising it.
        reset_options: For every reset; what it is given otherwise comes before them.
        lenient: Accept observations with missing and unknown fields.
        copy: Hand out observations of the caller's own rather than one buffer that the next batch reuses.
        dialect: Agreed with each server, or the one to insist on.
        outage_timeout: Seconds that a server may be out of reach.
        render_mode: What the lanes' environments draw.
    """

    def __init__(
        self,
        servers: Servers,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode,
        max_episode_steps: int | None,
        task_sampler: TaskSampler | None,
        reset_timeout: float,
        step_timeout: float,
        truncate_on_fault: bool,
        lenient: bool,
        reset_options: Mapping[str, Any] | None,
        copy: bool,
        dialect: Dialect,
        outage_timeout: float,
        render_mode: str | None,
    ) -> None:
        self.interface, self.pool = connect(
            servers,
            num_envs,
            timeout=reset_timeout,
            lenient=lenient,
            reset_options=reset_options,
            dialect=dialect,
            outage_timeout=outage_timeout,
            render_mode=render_mode,
        )
        self.autoreset_mode = autoreset_mode
        self.single_action_space: Space[Any] = self.interface.action_space
        self.single_observation_space: Space[Any] = self.interface.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.lanes = Lanes(
            self.interface, num_envs, autoreset_mode, max_episode_steps, task_sampler, truncate_on_fault
        )
        self.step_timeout = step_timeout
        self._reset_timeout = reset_timeout
        self._servers = servers
        self._buffer = None if copy else create_empty_array(self.single_observation_space, n=num_envs)
        self._ready: list[int] = []  # lanes whose results were received and not yet handed out
        self._closed = False

    def close(self) -> None:
        """Close every session and give back the servers. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        try:
            self.pool.close()
        finally:
            self._servers.release()

    # --- exchanges -------------------------------------------------------------------------------------

    def submit(self, calls: Calls) -> None:
        """Hand calls to the pool, each under its operation's timeout."""
        if self._closed:
            raise ClosedError("the vector environment is closed; make a new one")
        resets = [call for call in calls if call[1].op is Op.RESET]
        others = [call for call in calls if call[1].op is not Op.RESET] if resets else calls
        for part, timeout in ((resets, self._reset_timeout), (others, self.step_timeout)):
            if part:
                self.pool.submit(part, timeout)
                self.lanes.started(part)

    # --- lockstep --------------------------------------------------------------------------------------

    def reset_plan(
        self, seed: int | Sequence[int | None] | None, options: Mapping[str, Any] | None
    ) -> Generator[Calls, list[Completion], ResetBatch]:
        """Reset all lanes, whatever they are doing, or those of ``options["reset_mask"]``."""
        count = len(self.lanes)
        everyone = list(range(count))
        seeds = spread_seeds(seed, count)
        common = dict(options or {})
        mask = common.pop("reset_mask", None)
        if mask is not None:
            self._require_idle(everyone)
        chosen = everyone if mask is None else np.flatnonzero(check_reset_mask(mask, count)).tolist()
        per_lane = lane_options(common.pop("lanes", None), count)
        merged = [{**common, **per_lane.get(lane, {})} for lane in chosen]
        if mask is None:
            self._abandon()
        self._finish((yield self.lanes.reset_calls(chosen, [seeds[lane] for lane in chosen], merged)))
        observations = self.lanes.observations(everyone, self._buffer)
        return observations, self.lanes.infos(chosen, chosen, count)

    def step_plan(self, actions: Any) -> Generator[Calls, list[Completion], Batch]:
        """Step every lane once, under the autoreset mode's rules."""
        everyone = list(range(len(self.lanes)))
        self._require_idle(everyone)
        split = split_actions(self.single_action_space, actions, len(everyone))
        self._finish((yield self.lanes.step_calls(everyone, split)))
        if resets := self.lanes.autoreset_calls(everyone):
            self._finish((yield resets))
        return self._batch(everyone, self._buffer)

    def _finish(self, completions: list[Completion]) -> None:
        """Record every completion, then raise the first error if there was one."""
        out = self._buffer if len(completions) == len(self.lanes) else None
        _, errors = self.lanes.finish(sorted(completions, key=itemgetter(0)), out)
        if errors:
            raise errors[0]

    def _batch(self, lanes: list[int], buffer: Any = None) -> Batch:
        infos = self.lanes.infos(lanes, slice(None), len(lanes))
        return (
            self.lanes.observations(lanes, buffer),
            *self.lanes.ends(lanes),
            infos | self.lanes.take_finals(lanes),
        )

    # --- partial receive -------------------------------------------------------------------------------

    def send(self, actions: Any, env_ids: Sequence[int]) -> None:
        """Start a step on some lanes without waiting."""
        lanes = [int(index) for index in env_ids]
        self._require_idle(lanes)
        split = split_actions(self.single_action_space, actions, len(lanes))
        self.submit(self.lanes.step_calls(lanes, split))

    def send_reset(
        self,
        env_ids: Sequence[int] | None,
        seed: int | Sequence[int | None] | None,
        options: Mapping[str, Any] | None,
    ) -> None:
        """Start a reset on some lanes (default: all) without waiting."""
        lanes = [int(index) for index in (range(len(self.lanes)) if env_ids is None else env_ids)]
        self._require_idle(lanes)
        seeds = spread_seeds(seed, len(lanes))
        self.submit(self.lanes.reset_calls(lanes, seeds, [options] * len(lanes)))

    def missing(self, min_envs: int) -> int:
        """How many more lanes `take` must bring before ``min_envs`` are ready.

        Raises:
            UsageError: Fewer than ``min_envs`` lanes are ready or have a call running.
        """
        available = len(self.lanes.running) + len(self._ready)
        if not 1 <= min_envs <= available:
            raise UsageError(f"recv(min_envs={min_envs}) with {available} lanes in flight: send() first")
        return max(0, min_envs - len(self._ready))

    def take(self, completions: list[Completion]) -> None:
        """Record what the pool handed out, and start the resets that SAME_STEP asks for."""
        if not completions:
            return
        finished, errors = self.lanes.finish(completions)
        resets = self.lanes.autoreset_calls(finished)
        being_reset = {lane for lane, _ in resets}
        self._ready += [lane for lane in finished if lane not in being_reset]
        self.submit(resets)
        if errors:
            raise errors[0]

    def hand_out(self) -> Batch:
        """Batch the ready lanes in arrival order; every array has one entry a ready lane.

        Raises:
            TimeoutError: No lane is ready.
        """
        if not self._ready:
            raise TimeoutError("not one lane was ready in time; their calls run on, so recv() again")
        ready, self._ready = self._ready, []
        batch = self._batch(ready)
        batch[-1]["env_id"] = np.array(ready, dtype=np.int64)
        return batch

    def _abandon(self) -> None:
        """Forget all that is in flight, after an interrupt for example."""
        self.pool.abandon()
        self.lanes.abandon()
        self._ready.clear()

    def _require_idle(self, lanes: Sequence[int]) -> None:
        count = len(self.lanes)
        chosen = set(lanes)
        for lane in chosen.difference(range(count)):
            raise UsageError(f"env id {lane} is outside 0..{count - 1}")
        if len(chosen) < len(lanes):
            raise UsageError("an env id appears twice in one send()")
        for lane in chosen.intersection(self.lanes.running.keys() | self._ready):
            raise UsageError(f"lane {lane} was sent and not yet received: recv() or reset() first")
