"""What the synchronous and the asyncio vector environment share: plans of exchanges with a session pool.

A plan is a generator that yields the calls to make and is sent their results, until it returns the batch.
Who drives it decides how to wait: `RemoteVectorEnv` blocks, `AsyncRemoteVectorEnv` awaits.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.spaces import Tuple as TupleSpace
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space, create_empty_array, iterate
from numpy.typing import NDArray

from openenv_gym.adapters.interface import Transition
from openenv_gym.adapters.lanes import (
    Completion,
    Lanes,
    TaskSampler,
    batch_finals,
    batch_infos,
    batch_observations,
    check_reset_mask,
)
from openenv_gym.adapters.servers import Servers, connect
from openenv_gym.client.dialects import Dialect
from openenv_gym.errors import ClosedError, OpenEnvGymError, UsageError
from openenv_gym.wire.messages import Op, Request

Calls = list[tuple[int, Request]]
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
        lenient: Accept observations with missing and unknown fields.
        copy: Hand out observations of the caller's own rather than one buffer that the next batch reuses.
        dialect: Agreed with each server, or the one to insist on.
        outage_timeout: Seconds that a server may be out of reach.
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
        copy: bool,
        dialect: Dialect,
        outage_timeout: float,
    ) -> None:
        self.interface, self.pool = connect(
            servers,
            num_envs,
            timeout=reset_timeout,
            lenient=lenient,
            dialect=dialect,
            outage_timeout=outage_timeout,
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
        self._ready: dict[int, Transition] = {}  # received, not yet handed out
        self._finals: dict[int, Transition] = {}  # SAME_STEP: last transitions of lanes being reset
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
        """Reset all lanes, or those of ``options["reset_mask"]``."""
        count = len(self.lanes)
        self._require_idle(range(count))
        seeds = spread_seeds(seed, count)
        common = dict(options or {})
        mask = common.pop("reset_mask", None)
        chosen = range(count) if mask is None else np.flatnonzero(check_reset_mask(mask, count)).tolist()
        per_lane = lane_options(common.pop("lanes", None), count)
        calls: Calls = []
        for index in chosen:
            merged = {**common, **per_lane.get(index, {})}
            calls.append((index, self.lanes.reset_request(index, seeds[index], merged)))
        transitions = self._finish_all((yield calls))
        infos = {index: transition.info for index, transition in transitions.items()}
        return self._observations(), batch_infos(infos, count)

    def step_plan(self, actions: Any) -> Generator[Calls, list[Completion], Batch]:
        """Step every lane once, under the autoreset mode's rules."""
        count = len(self.lanes)
        self._require_idle(range(count))
        calls = [
            (index, self.lanes.step_request(index, action))
            for index, action in enumerate(self.split_actions(actions, count))
        ]
        transitions = self._finish_all((yield calls))
        rewards = np.zeros(count, dtype=np.float64)
        terminations = np.zeros(count, dtype=np.bool_)
        truncations = np.zeros(count, dtype=np.bool_)
        stepped = [index for index, request in calls if request.op is Op.STEP]
        rewards[stepped] = [transitions[index].reward for index in stepped]
        terminations[stepped] = [transitions[index].terminated for index in stepped]
        truncations[stepped] = [transitions[index].truncated for index in stepped]
        finals: dict[int, Transition] = {}
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            finals = {i: t for i, t in transitions.items() if t.terminated or t.truncated}
            if finals:
                resets = [(index, self.lanes.reset_request(index)) for index in finals]
                transitions |= self._finish_all((yield resets))
        infos = batch_infos({index: transition.info for index, transition in transitions.items()}, count)
        infos |= batch_finals(finals, count)
        return self._observations(), rewards, terminations, truncations, infos

    def _finish_all(self, completions: list[Completion]) -> dict[int, Transition]:
        """Record every completion, then raise the first error if there was one."""
        transitions, errors = self._finish_each(completions)
        if errors:
            raise errors[0]
        return dict(sorted(transitions.items()))

    def _finish_each(
        self, completions: list[Completion]
    ) -> tuple[dict[int, Transition], list[OpenEnvGymError]]:
        """Record every completion, so that one lane's error leaves no other lane in flight."""
        transitions: dict[int, Transition] = {}
        errors: list[OpenEnvGymError] = []
        for index, result in completions:
            try:
                transitions[index] = self.lanes.finish(index, result)
            except OpenEnvGymError as error:
                error.add_note(f"(lane {index} of {len(self.lanes)})")
                errors.append(error)
        return transitions, errors

    def _observations(self) -> Any:
        lanes = self.lanes
        missing = [index for index in range(len(lanes)) if lanes[index].observation is None]
        if missing:
            raise UsageError(f"lanes {missing[:8]} were never reset: call reset() without a reset_mask first")
        observations = [lanes[index].observation for index in range(len(lanes))]
        return batch_observations(self.single_observation_space, observations, self._buffer)

    # --- partial receive -------------------------------------------------------------------------------

    def send(self, actions: Any, env_ids: Sequence[int]) -> None:
        """Start a step on some lanes without waiting."""
        ids = [int(index) for index in env_ids]
        self._require_idle(ids)
        split = self.split_actions(actions, len(ids))
        self.submit([(i, self.lanes.step_request(i, a)) for i, a in zip(ids, split, strict=True)])

    def send_reset(
        self,
        env_ids: Sequence[int] | None,
        seed: int | Sequence[int | None] | None,
        options: Mapping[str, Any] | None,
    ) -> None:
        """Start a reset on some lanes (default: all) without waiting."""
        ids = range(len(self.lanes)) if env_ids is None else [int(index) for index in env_ids]
        self._require_idle(ids)
        seeds = spread_seeds(seed, len(ids))
        self.submit(
            [
                (index, self.lanes.reset_request(index, s, options))
                for index, s in zip(ids, seeds, strict=True)
            ]
        )

    def missing(self, min_envs: int) -> int:
        """How many more lanes `take` must bring before ``min_envs`` are ready.

        Raises:
            UsageError: Fewer than ``min_envs`` lanes are ready or have a call running.
        """
        running = sum(self.lanes[index].running is not None for index in range(len(self.lanes)))
        available = running + len(self._ready)
        if not 1 <= min_envs <= available:
            raise UsageError(f"recv(min_envs={min_envs}) with {available} lanes in flight: send() first")
        return max(0, min_envs - len(self._ready))

    def take(self, completions: list[Completion]) -> None:
        """Record what the pool handed out, and start the resets that SAME_STEP asks for."""
        transitions, errors = self._finish_each(completions)
        resets: Calls = []
        for index, transition in transitions.items():
            ended = transition.terminated or transition.truncated
            if ended and self.autoreset_mode is AutoresetMode.SAME_STEP:
                self._finals[index] = transition
                resets.append((index, self.lanes.reset_request(index)))
            else:
                self._ready[index] = transition
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
        ready, self._ready = self._ready, {}
        ids, transitions = list(ready), list(ready.values())
        finals = {row: self._finals.pop(index) for row, index in enumerate(ids) if index in self._finals}
        ends = [finals.get(row, transition) for row, transition in enumerate(transitions)]
        info = batch_infos(dict(enumerate(t.info for t in transitions)), len(ids))
        info |= batch_finals(finals, len(ids))
        info["env_id"] = np.array(ids, dtype=np.int64)
        return (
            batch_observations(self.single_observation_space, [t.observation for t in transitions]),
            np.array([t.reward for t in ends], dtype=np.float64),
            np.array([t.terminated for t in ends], dtype=np.bool_),
            np.array([t.truncated for t in ends], dtype=np.bool_),
            info,
        )

    def _require_idle(self, ids: Sequence[int]) -> None:
        count = len(self.lanes)
        for index in ids:
            if not 0 <= index < count:
                raise UsageError(f"env id {index} is outside 0..{count - 1}")
            if self.lanes[index].running is not None or index in self._ready:
                raise UsageError(f"lane {index} was sent before and not yet received: recv() first")
        if len(set(ids)) != len(ids):
            raise UsageError("an env id appears twice in one send()")

    # --- actions ---------------------------------------------------------------------------------------

    def split_actions(self, actions: Any, count: int) -> list[Any]:
        """Split a batch of actions, one a lane.

        Args:
            actions: A value of the batched action space, or a sequence of single actions (values of the
                single action space or ``Action`` models), of length ``count``.
        """
        single_is_tuple = isinstance(self.single_action_space, TupleSpace)
        if isinstance(actions, list | tuple) and not (single_is_tuple and isinstance(actions, tuple)):
            split = list(actions)
        else:
            space = (
                self.action_space
                if count == len(self.lanes)
                else batch_space(self.single_action_space, count)
            )
            split = list(iterate(space, actions))
        if len(split) != count:
            raise UsageError(f"{len(split)} actions for {count} lanes: give one a lane")
        return split


def spread_seeds(seed: int | Sequence[int | None] | None, count: int) -> list[int | None]:
    """Give each lane its seed by gymnasium's rule: an int counts up from lane 0."""
    if seed is None:
        return [None] * count
    if isinstance(seed, int | np.integer):
        return [int(seed) + index for index in range(count)]
    seeds = [None if one is None else int(one) for one in seed]
    if len(seeds) != count:
        raise UsageError(f"{len(seeds)} seeds for {count} lanes: give one a lane, or one int for all")
    return seeds


def lane_options(given: Any, count: int) -> dict[int, Mapping[str, Any]]:
    """Read ``options["lanes"]``: a mapping from lane to options, or a sequence with one entry a lane."""
    if given is None:
        return {}
    pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
    options = {int(index): entry or {} for index, entry in pairs}
    if any(not 0 <= index < count for index in options) or (
        not isinstance(given, Mapping) and len(options) != count
    ):
        raise UsageError(f"options['lanes'] holds one entry for each of {count} lanes, or maps lane numbers")
    return options
