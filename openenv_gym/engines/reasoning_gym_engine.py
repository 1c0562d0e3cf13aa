"""The engine ``reasoning_gym:NAME``: a question of a reasoning-gym dataset as an episode of one step."""

from __future__ import annotations

import difflib
import logging
import random
import threading
import warnings
from functools import cache, partial
from typing import Annotated, Any

from pydantic import Field

from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.evaluated_answers import make_harmless
from openenv_gym.errors import UsageError
from openenv_gym.models import Action, EnvironmentMetadata, Observation, State
from openenv_gym.server.environment import Environment

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)  # of a library of its own, when first compiled
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

logger = logging.getLogger(__name__)

_SPLITS = {"train": 1, "test": 2}  # and the seed of each one's dataset
_TASKS = 500  # as many as reasoning-gym's own datasets hold by default
_MOST_LISTED = 100
# A few datasets draw from, or seed, Python's and numpy's global random numbers.
_one_at_a_time = threading.Lock()


class ReasoningGymAction(Action):
    """An answer."""

    answer: str = Field(max_length=65_536, description="The answer, and nothing else")


class ReasoningGymObservation(Observation):
    """A question, and after the answer the right one."""

    question: str = Field(description="What is asked, and in which form the answer is wanted")
    task: str = Field(description="The dataset that the question comes from")
    correct_answer: str = Field(default="", description="After the answer: the dataset's own, if it has one")


class ReasoningGymEnvironment(Environment[ReasoningGymAction, ReasoningGymObservation, State]):
    """Questions of one dataset; an episode is a question, one answer and its score in [0, 1].

    Args:
        task: The dataset's name.
        options: Its configuration; ``size`` is the number of tasks of each split.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"

    def __init__(self, task: str, options: dict[str, Any]) -> None:
        super().__init__()
        self._task = task
        self._options = {"size": _TASKS, **options}
        self._state = State()
        self._dataset: Any = None
        self._entry: dict[str, Any] = {}
        self._split_dataset = cache(self._make_dataset)

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str | None = None,
        index: Annotated[int, Field(ge=0)] | None = None,
    ) -> ReasoningGymObservation:
        """Ask a question.

        Args:
            seed: Equal seeds give equal questions.
            episode_id: The episode's name.
            split: With ``index``: ask the question of this task, whatever the seed.
            index: Its number.

        Raises:
            ValueError: There is no such task.
        """
        if (split is None) != (index is None):
            raise ValueError("a task is chosen by split and index together")
        if split is not None and index is not None:
            self._dataset, self._entry = (
                self._split_dataset(self._split_seed(split)),
                self._task_entry(split, index),
            )
        else:
            seed = random.SystemRandom().randrange(2**32) if seed is None else seed
            self._dataset = self._make_dataset(seed % 2**32)
            self._entry = _entry(self._dataset, 0)
        self._state = State(episode_id=episode_id)
        return ReasoningGymObservation(question=self._entry["question"], task=self._task, reward=0.0)

    def step(  # type: ignore[override]
        self, action: ReasoningGymAction, timeout_s: float | None = None
    ) -> ReasoningGymObservation:
        """Score an answer, which ends the episode; one that cannot be read at all scores 0."""
        self._state.step_count += 1
        metadata = {}
        try:
            reward = float(self._dataset.score_answer(action.answer, self._entry))
        except Exception as error:  # how some datasets take an answer that is not of the wanted form
            logger.warning("%s could not read an answer", self._task, exc_info=True)
            reward, metadata = 0.0, {"unreadable": f"{type(error).__name__}: {error}"}
        return ReasoningGymObservation(
            question=self._entry["question"],
            task=self._task,
            correct_answer=str(self._entry["answer"] or ""),
            reward=reward,
            done=True,
            metadata=metadata,
        )

    @property
    def state(self) -> State:
        """The episode's id and length."""
        return self._state

    def list_splits(self) -> list[str]:
        """Name the splits."""
        return list(_SPLITS)

    def num_tasks(self, split: str) -> int:
        """Count a split's tasks."""
        self._split_seed(split)
        return int(self._options["size"])

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """List the first tasks of a split."""
        return self.get_task_range(split, 0, _MOST_LISTED)

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """Describe one task."""
        entry = self._task_entry(split, index)
        return {"split": split, "index": index, "task": self._task, "question": entry["question"]}

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        """Describe several tasks."""
        return [self.get_task(split, index) for index in range(self.num_tasks(split))[start:stop]]

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name=self._task, description=f"Questions of reasoning-gym's {self._task}, scored in [0, 1]"
        )

    def _make_dataset(self, seed: int) -> Any:
        return reasoning_gym.create_dataset(self._task, seed=seed, **self._options)

    def _split_seed(self, split: str) -> int:
        if split not in _SPLITS:
            raise ValueError(f"there is no split {split!r}; there are: {', '.join(_SPLITS)}")
        return _SPLITS[split]

    def _task_entry(self, split: str, index: int) -> dict[str, Any]:
        if not 0 <= index < self.num_tasks(split):
            raise IndexError(f"the split {split!r} has {self.num_tasks(split)} tasks, and no task {index}")
        return _entry(self._split_dataset(self._split_seed(split)), index)


def blueprint(environment_id: str, options: dict[str, Any]) -> Blueprint:
    """Ask one question, to learn whether the dataset works, and say how to make more.

    Args:
        environment_id: The dataset's name.
        options: Its configuration, such as ``max_animals``; its seed is each reset's.

    Raises:
        UsageError: There is no such dataset, or it takes no such options, or would run answers as code.
    """
    if environment_id not in DATASETS:
        similar = (
            ", ".join(difflib.get_close_matches(environment_id, DATASETS, n=4)) or "for example leg_counting"
        )
        raise UsageError(
            f"reasoning_gym has no dataset {environment_id!r}: {similar} ({len(DATASETS)} are known)"
        )
    if "seed" in options:
        raise UsageError("reasoning_gym: the seed is given to reset()")
    formulas = make_harmless(DATASETS[environment_id][0])
    factory = partial(ReasoningGymEnvironment, environment_id, options)
    try:
        factory().reset(seed=0)
    except (TypeError, ValueError, AssertionError, IndexError) as error:
        raise UsageError(f"reasoning_gym:{environment_id} refuses its options: {error}") from error
    return Blueprint(
        factory=factory,
        action_cls=ReasoningGymAction,
        observation_cls=ReasoningGymObservation,
        execution="process" if formulas else None,  # where a comparison that never ends can be stopped
    )


def _entry(dataset: Any, index: int) -> dict[str, Any]:
    """Make one of a dataset's questions, and answer."""
    with _one_at_a_time:
        before = random.getstate()
        random.seed(f"{dataset.seed} {index}")
        try:
            entry: dict[str, Any] = dataset[index]
        finally:
            random.setstate(before)
    return entry
