"""The lanes of a vector environment: each one's episode, and the rules of autoreset, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium.spaces import Space
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray

from openenv_gym.adapters.interface import Interface, Transition, faulted, reset_request
from openenv_gym.errors import NotResetError, OpenEnvGymError, UsageError
from openenv_gym.wire.messages import Op, Outcome, Reply, Request

TaskSampler = Callable[[int, np.random.Generator], Mapping[str, Any]]
Completion = tuple[int, "Reply | OpenEnvGymError"]


@dataclass(slots=True)
class Lane:
    """One session's episode as the vector environment sees it.

    Attributes:
        rng: Draws the seed of every reset that is given none.
        observation: The last valid one; ``None`` before the first reset.
        elapsed: Steps since the last reset.
        ended: The episode is over (or none has begun), so that the next call must be a reset.
        running: The operation in flight, if any.
    """

    rng: np.random.Generator = field(default_factory=lambda: seeding.np_random()[0])
    observation: Any = None
    elapsed: int = 0
    ended: bool = True
    running: Op | None = None


class Lanes:
    """Turns actions into requests and replies into transitions, lane by lane.

    Args:
        interface: The environment's spaces and conversions.
        count: How many lanes.
        autoreset_mode: Gymnasium's.
        max_episode_steps: Truncate an episode after so many steps.
        task_sampler: Gives the reset options of a lane whenever nobody else does.
        truncate_on_fault: End the lane's episode on a fault instead of raising it.
    """

    def __init__(
        self,
        interface: Interface,
        count: int,
        autoreset_mode: AutoresetMode,
        max_episode_steps: int | None,
        task_sampler: TaskSampler | None,
        truncate_on_fault: bool,
    ) -> None:
        self.interface = interface
        self.autoreset_mode = autoreset_mode
        self._max_episode_steps = max_episode_steps
        self._task_sampler = task_sampler
        self._truncate_on_fault = truncate_on_fault
        self._lanes = [Lane() for _ in range(count)]

    def __len__(self) -> int:
        return len(self._lanes)

    def __getitem__(self, index: int) -> Lane:
        return self._lanes[index]

    # --- out: requests ---------------------------------------------------------------------------------

    def reset_request(
        self, index: int, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> Request:
        """Build the lane's reset, with the task sampler's options when none are given."""
        lane = self._lanes[index]
        if seed is not None:
            lane.rng, _ = seeding.np_random(seed)
        if not options and self._task_sampler is not None:
            options = self._task_sampler(index, lane.rng)
        return reset_request(lane.rng, seed, options)

    def step_request(self, index: int, action: Any) -> Request:
        """Build the lane's step; under NEXT_STEP an ended lane ignores the action and resets."""
        lane = self._lanes[index]
        if not lane.ended:
            return self.interface.step_request(action)
        if lane.observation is None:
            raise NotResetError(f"lane {index} was stepped before reset(): call reset() first")
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            return self.reset_request(index)
        raise NotResetError(
            f"lane {index} was stepped after its episode's end: autoreset is {self.autoreset_mode.value}, so "
            "reset it with reset(options={'reset_mask': ...}) first"
        )

    def started(self, calls: Iterable[tuple[int, Request]]) -> None:
        """Record that these calls were handed to the pool."""
        for index, request in calls:
            self._lanes[index].running = request.op

    # --- in: replies -----------------------------------------------------------------------------------

    def finish(self, index: int, result: Reply | OpenEnvGymError) -> Transition:
        """Record the result of the lane's running call and return it as a transition.

        Raises:
            OpenEnvGymError: A reset failed, or faults are to be raised. The lane then needs a reset.
        """
        lane = self._lanes[index]
        op, lane.running = lane.running, None
        lane.ended = True  # until this turns out well
        if op is Op.RESET:
            transition = self._transition(result)
            lane.elapsed = 0
        else:
            lane.elapsed += 1
            transition = self._step_transition(lane, result)
        lane.observation = transition.observation
        lane.ended = transition.terminated or transition.truncated
        return transition

    def _step_transition(self, lane: Lane, result: Reply | OpenEnvGymError) -> Transition:
        try:
            transition = self._transition(result)
        except NotResetError:
            raise
        except OpenEnvGymError as error:
            if not self._truncate_on_fault:
                raise
            return faulted(lane.observation, error)
        if self._max_episode_steps is not None and lane.elapsed >= self._max_episode_steps:
            return Transition(
                transition.observation, transition.reward, transition.terminated, True, transition.info
            )
        return transition

    def _transition(self, result: Reply | OpenEnvGymError) -> Transition:
        if isinstance(result, OpenEnvGymError):
            raise result
        assert isinstance(result, Outcome)
        return self.interface.transition(result)


# --- batches -------------------------------------------------------------------------------------------


def batch_observations(space: Space[Any], observations: Sequence[Any], buffer: Any = None) -> Any:
    """Batch single observations into ``buffer``, or into a fresh value of the batched space."""
    if buffer is None:
        buffer = create_empty_array(space, n=len(observations), fn=np.zeros)
    return concatenate(space, observations, buffer)


def batch_infos(infos: Mapping[int, Mapping[str, Any]], count: int) -> dict[str, Any]:
    """Batch the lanes' infos as `gymnasium.vector.VectorEnv` does.

    Args:
        infos: The infos by lane; all have the same keys (see `make_info`).
        count: Number of lanes.

    Returns:
        For every key an array of shape ``(count,)`` and, under ``_key``, the mask of lanes that have it.
    """
    if not infos:
        return {}
    mask = np.zeros(count, dtype=np.bool_)
    mask[list(infos)] = True
    batch: dict[str, Any] = {}
    for key, example in next(iter(infos.values())).items():
        array: NDArray[Any] = (
            np.zeros(count, dtype=np.bool_)
            if isinstance(example, bool)
            else np.full(count, None, dtype=object)
        )
        for index, info in infos.items():
            array[index] = info[key]
        batch[key], batch[f"_{key}"] = array, mask.copy()
    return batch


def batch_finals(finals: Mapping[int, Transition], count: int) -> dict[str, Any]:
    """Batch SAME_STEP's ``final_obs`` and ``final_info`` with their masks."""
    if not finals:
        return {}
    observations = np.full(count, None, dtype=object)
    mask = np.zeros(count, dtype=np.bool_)
    for index, transition in finals.items():
        observations[index] = transition.observation
        mask[index] = True
    infos = batch_infos({index: transition.info for index, transition in finals.items()}, count)
    return {"final_obs": observations, "_final_obs": mask, "final_info": infos, "_final_info": mask.copy()}


def check_reset_mask(mask: Any, count: int) -> NDArray[np.bool_]:
    """Check ``options["reset_mask"]`` by gymnasium's rules.

    Raises:
        UsageError: It is not a boolean array of shape ``(count,)`` with at least one ``True``.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,) or not mask.any():
        raise UsageError(
            f"options['reset_mask'] is a bool array of shape ({count},) with at least one True, not {mask!r}"
        )
    return mask
