"""The lanes of a vector environment: each one's episode, and the rules of autoreset, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from openenv_gym.adapters.infos import Rows, batch_finals, batch_infos, fault_text
from openenv_gym.adapters.interface import Interface
from openenv_gym.errors import NotResetError, OpenEnvGymError, ProtocolError, UsageError
from openenv_gym.wire.messages import Op, Outcome, Reply, Request

TaskSampler = Callable[[int, np.random.Generator], Mapping[str, Any]]
Calls = list[tuple[int, Request]]
Completion = tuple[int, "Reply | OpenEnvGymError"]
Ends = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]

_NO_STEP = Outcome({}, reward=0.0)


class Lanes:
    """Turns actions into requests, and replies into batches, under the rules of autoreset.

    What it knows of the lanes are dicts by lane and sets of lanes: most operations on all lanes are one
    operation of a dict or a set.

    Args:
        interface: The environment's spaces and conversions.
        count: How many lanes.
        autoreset_mode: Gymnasium's.
        max_episode_steps: Truncate an episode after so many steps.
        task_sampler: Gives the reset options of a lane whenever nobody else does.
        truncate_on_fault: End the lane's episode on a fault instead of raising it.

    Attributes:
        running: The lanes that have a call in flight, and its operation.
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
        self._interface = interface
        self._autoreset_mode = autoreset_mode
        self._max_episode_steps = max_episode_steps
        self._task_sampler = task_sampler
        self._truncate_on_fault = truncate_on_fault
        self._rngs = [seeding.np_random()[0] for _ in range(count)]  # draw the seeds that nobody gives
        self.running: dict[int, Op] = {}
        self._ended = set(range(count))  # the next call must be a reset
        self._elapsed = dict.fromkeys(range(count), 0)  # steps since the last reset, if there is a maximum
        # Observations are kept as they came, not as they were handed out: those are the caller's to change.
        self._outcomes: dict[int, Outcome] = {}  # the last reply, with the last valid observation
        self._faults: dict[int, str] = {}  # what was wrong with the last reply, if something was
        self._steps: dict[int, Outcome] = {}  # the reply to the last step, if no reset was asked for since
        self._cut: set[int] = set()  # that step was the last of max_episode_steps
        self._finals: dict[int, tuple[Outcome, str]] = {}  # SAME_STEP: outcomes and faults before the reset
        self._decoded: tuple[list[int], Any] | None = None  # the batch that `finish` made

    def __len__(self) -> int:
        return len(self._rngs)

    # --- out: requests ---------------------------------------------------------------------------------

    def reset_calls(
        self, lanes: Sequence[int], seeds: Sequence[int | None], options: Sequence[Mapping[str, Any] | None]
    ) -> Calls:
        """Build a reset for each lane, with the task sampler's options where none are given."""
        self._forget_steps(lanes)
        return [
            (lane, self._reset_request(lane, seed, given))
            for lane, seed, given in zip(lanes, seeds, options, strict=True)
        ]

    def step_calls(self, lanes: Sequence[int], actions: Sequence[Any]) -> Calls:
        """Build a step for each lane; under NEXT_STEP an ended one ignores its action and resets.

        Raises:
            NotResetError: A lane must be reset first.
            InvalidActionError: An action does not fit.
        """
        ended = self._ended.intersection(lanes)
        if not ended:
            return list(zip(lanes, self._interface.step_requests(actions), strict=True))
        self._require_next_step(min(ended))
        actions = [action for lane, action in zip(lanes, actions, strict=True) if lane not in ended]
        steps = iter(self._interface.step_requests(actions))
        self._forget_steps(ended)
        return [(lane, self._reset_request(lane) if lane in ended else next(steps)) for lane in lanes]

    def autoreset_calls(self, lanes: Sequence[int]) -> Calls:
        """Build the resets that SAME_STEP asks for now that these lanes are finished."""
        if self._autoreset_mode is not AutoresetMode.SAME_STEP:
            return []
        ended = (self._ended.intersection(lanes) & self._steps.keys()) - self._finals.keys()
        for lane in ended:
            self._finals[lane] = self._outcomes[lane], self._faults.get(lane, "")
        return [(lane, self._reset_request(lane)) for lane in sorted(ended)]

    def started(self, calls: Calls) -> None:
        """Record that these calls were handed to the pool."""
        self.running.update((lane, request.op) for lane, request in calls)

    def abandon(self) -> None:
        """Record that no call is in flight any more, and that what was is unknown."""
        self._ended.update(self.running)
        self.running.clear()
        self._finals.clear()

    # --- in: replies -----------------------------------------------------------------------------------

    def finish(
        self, completions: Sequence[Completion], out: Any = None
    ) -> tuple[list[int], list[OpenEnvGymError]]:
        """Record the results of running calls.

        Args:
            completions: At least one.
            out: As for `observations`, in case it is asked for just these lanes.

        Returns:
            The lanes for which it went well, and the errors of the others: a reset failed, or faults are to
            be raised. These lanes need a reset.
        """
        results = dict(completions)
        resets = {lane for lane in results if self.running.pop(lane) is Op.RESET}
        self._ended.update(results)  # until it turns out well
        outcomes = {lane: result for lane, result in results.items() if isinstance(result, Outcome)}
        faults: dict[int, str] = {}
        errors: list[OpenEnvGymError] = []
        self._decoded = None
        if len(outcomes) == len(results):
            with suppress(ProtocolError):  # whose it is comes out one by one
                values = [outcome.observation for outcome in outcomes.values()]
                self._decoded = list(outcomes), self._interface.observations(values, out)
        if self._decoded is None:
            outcomes, faults, errors = self._one_by_one(results, resets)
        self._record(outcomes, faults, resets)
        return list(outcomes), errors

    def _one_by_one(
        self, results: Mapping[int, Reply | OpenEnvGymError], resets: set[int]
    ) -> tuple[dict[int, Outcome], dict[int, str], list[OpenEnvGymError]]:
        """Tell results that fit from faults, for which an outcome is made up, and from errors to raise."""
        outcomes: dict[int, Outcome] = {}
        faults: dict[int, str] = {}
        errors: list[OpenEnvGymError] = []
        for lane, result in results.items():
            try:
                outcomes[lane] = self._fitting(result)
            except OpenEnvGymError as error:
                if self._truncate_on_fault and lane not in resets and not isinstance(error, NotResetError):
                    # No reward: nothing is passed off as the environment's own.
                    outcomes[lane] = Outcome(self._outcomes[lane].observation, done=True, truncated=True)
                    faults[lane] = fault_text(error)
                else:
                    self._finals.pop(lane, None)
                    error.add_note(f"(lane {lane} of {len(self)})")
                    errors.append(error)
        return outcomes, faults, errors

    def _fitting(self, result: Reply | OpenEnvGymError) -> Outcome:
        if isinstance(result, OpenEnvGymError):
            raise result
        assert isinstance(result, Outcome)
        self._interface.observation(result.observation)
        return result

    def _record(self, outcomes: dict[int, Outcome], faults: dict[int, str], resets: set[int]) -> None:
        """Write down what these lanes went through."""
        steps = {lane: outcome for lane, outcome in outcomes.items() if lane not in resets}
        over = {lane for lane, outcome in outcomes.items() if outcome.done or outcome.truncated}
        if self._max_episode_steps is not None:
            self._elapsed |= dict.fromkeys(resets, 0)
            self._elapsed |= {lane: self._elapsed[lane] + 1 for lane in steps}
            cut = {lane for lane in steps if self._elapsed[lane] >= self._max_episode_steps}
            self._cut = (self._cut - steps.keys()) | cut
            over |= cut
        self._outcomes |= outcomes
        self._steps |= steps
        self._ended -= outcomes.keys()
        self._ended |= over
        for lane in self._faults.keys() & outcomes.keys():
            del self._faults[lane]
        self._faults |= faults

    # --- batches ---------------------------------------------------------------------------------------

    def observations(self, lanes: list[int], out: Any = None) -> Any:
        """Batch the last observations of some lanes, as a value of the caller's own.

        Args:
            lanes: At least one.
            out: An earlier batch of so many lanes, whose arrays are overwritten; ``None`` makes new ones.

        Raises:
            UsageError: One of them was never reset.
        """
        decoded, self._decoded = self._decoded, None
        if decoded is not None and decoded[0] == lanes:
            return decoded[1]
        if missing := [lane for lane in lanes if lane not in self._outcomes]:
            raise UsageError(f"lanes {missing[:8]} were never reset: call reset() without a reset_mask first")
        return self._interface.observations([self._outcomes[lane].observation for lane in lanes], out)

    def ends(self, lanes: Sequence[int]) -> Ends:
        """Batch the rewards, terminations and truncations of some lanes' last steps; a reset has none."""
        steps = [self._steps.get(lane, _NO_STEP) for lane in lanes]
        rewards = [0.0 if step.reward is None else step.reward for step in steps]
        truncations = np.array([step.truncated for step in steps], dtype=np.bool_)
        terminations = np.array([step.done for step in steps], dtype=np.bool_)
        if truncations.any():
            terminations = np.array([step.terminated for step in steps], dtype=np.bool_)
        if self._cut:
            truncations |= np.array([lane in self._cut for lane in lanes], dtype=np.bool_)
        return np.array(rewards, dtype=np.float64), terminations, truncations

    def infos(self, lanes: Sequence[int], rows: Rows, count: int) -> dict[str, Any]:
        """Batch the infos of some lanes' last calls; ``rows`` are their places in a batch."""
        outcomes = [self._outcomes[lane] for lane in lanes]
        return batch_infos(outcomes, [self._faults.get(lane, "") for lane in lanes], rows, count)

    def take_finals(self, lanes: Sequence[int]) -> dict[str, Any]:
        """Batch how these lanes' episodes ended, as far as SAME_STEP has reset them, and forget it."""
        rows = [row for row, lane in enumerate(lanes) if lane in self._finals]
        if not rows:
            return {}
        outcomes, faults = zip(*(self._finals.pop(lanes[row]) for row in rows), strict=True)
        observations = [self._interface.observation(outcome.observation) for outcome in outcomes]
        return batch_finals(observations, outcomes, faults, rows, len(lanes))

    # --- inside ----------------------------------------------------------------------------------------

    def _reset_request(
        self, lane: int, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> Request:
        if seed is not None:
            self._rngs[lane], _ = seeding.np_random(seed)
        if not options and self._task_sampler is not None:
            options = self._task_sampler(lane, self._rngs[lane])
        return self._interface.reset_request(self._rngs[lane], seed, options)

    def _require_next_step(self, ended: int) -> None:
        """Refuse to step an ended lane unless that resets it."""
        if ended not in self._outcomes:
            raise NotResetError(f"lane {ended} was stepped before reset(): call reset() first")
        if self._autoreset_mode is not AutoresetMode.NEXT_STEP:
            raise NotResetError(
                f"lane {ended} was stepped after its episode's end: autoreset is "
                f"{self._autoreset_mode.value}, so reset it with reset(options={{'reset_mask': ...}}) first"
            )

    def _forget_steps(self, lanes: Iterable[int]) -> None:
        """A reset begins: it has no reward and no end."""
        for lane in lanes:
            self._steps.pop(lane, None)
            self._finals.pop(lane, None)
        self._cut.difference_update(lanes)
