"""What an environment's author subclasses, with the names and signatures of OpenEnv's ``core.env_server``.

An environment written for OpenEnv works here with its import line changed. Nothing in this module needs the
``server`` extra, so an environment can be tested, or wrapped locally, without FastAPI.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar, Generic, Literal, Protocol, TypedDict, TypeVar

from openenv_gym.models import Action, EnvironmentMetadata, Observation, State

ActT = TypeVar("ActT", bound=Action)
ObsT = TypeVar("ObsT", bound=Observation)
StateT = TypeVar("StateT", bound=State)


class Message(TypedDict):
    """One turn of a conversation, as chat templates take it."""

    role: str
    content: str


class ModelTokenizer(Protocol):
    """The part of a tokenizer that chat environments use; transformers' tokenizers fit."""

    def apply_chat_template(
        self,
        conversation: list[Message],
        tokenize: bool = True,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Lay a conversation out as the model's prompt: token ids, or text if ``tokenize`` is false."""

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **kwargs: Any) -> str:
        """Turn token ids back into text."""


class Rubric(Protocol):
    """A reward model: called with the action and its observation. OpenEnv's rubrics fit.

    An async rubric returns an awaitable from the call; ``reset_async`` is used when there is one.
    """

    def __call__(self, action: Any, observation: Any) -> float | Awaitable[float]:
        """Score one step."""

    def reset(self) -> None:
        """Forget the last episode."""


class TaskProvider(Protocol):
    """Optional task discovery: an environment that has these methods gets the task routes.

    No inheritance is needed. The methods must work on a freshly constructed environment and change nothing;
    each may be sync or async. A task is chosen by passing its split and index to ``reset()``.
    """

    def list_splits(self) -> list[Any]:
        """Name the splits: strings, dicts or models with ``name`` and ``type``."""

    def list_tasks(self, split: str) -> list[Any]:
        """List a split's tasks; a huge split may list only its first ones."""

    def num_tasks(self, split: str) -> int:
        """Count a split's tasks."""

    def get_task(self, split: str, index: int) -> Any:
        """Describe one task; raises ``IndexError`` when the split has no such index."""

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[Any]:
        """Describe the tasks of ``[start, stop)``, with the bounds of a Python slice."""


class Restorable(Protocol):
    """Optional snapshots: an environment that has these methods offers them, and forks.

    No inheritance is needed; each method may be sync or async. A fork is a fresh instance whose ``restore``
    gets another's snapshot, so a snapshot holds all that the next steps depend on: episode id and counters,
    whether the episode is over, random generators. After it, equal actions give equal observations.

    A snapshot is restored any number of times, by several instances at once, on other threads; nobody may
    change it. A session keeps a few (`ServerSettings.max_snapshots`), and they go with it. Under
    ``EXECUTION = "process"`` they travel by `pickle` between the workers of a session and its forks, as bytes
    that the server never unpacks, and must hold everything themselves. Elsewhere the server keeps the object
    as it is; what it holds besides memory it frees when it is collected (`weakref.finalize`).
    """

    def snapshot(self) -> Any:
        """Copy the state."""

    def restore(self, state: Any) -> None:
        """Take on a state that ``snapshot`` returned, here or in another instance.

        Where it raises, the session needs a ``reset``, or another ``restore``.
        """


class Renderable(Protocol):
    """Optional pictures: an environment that has ``render`` and says what it draws offers them.

    No inheritance is needed, and ``render`` may be ``async def``. Nothing is drawn unless a client asks.

    Attributes:
        GYMNASIUM_METADATA: As Gymnasium's ``Env.metadata``: ``{"render_modes": [...], "render_fps": 30}``.
    """

    GYMNASIUM_METADATA: ClassVar[Mapping[str, Any]]

    def render(self, mode: str) -> Any:
        """Draw the episode as it stands.

        Args:
            mode: One of ``render_modes``.

        Returns:
            For ``rgb_array`` a uint8 array of shape (height, width, 3), for ``ansi`` text.
        """


class Transform(ABC, Generic[ObsT]):
    """A change to observations: a reward, a metric, a filter. `Environment._apply_transform` calls it."""

    @abstractmethod
    def __call__(self, observation: ObsT) -> ObsT:
        """Return the observation, changed or replaced."""


class Environment(ABC, Generic[ActT, ObsT, StateT]):
    """Base class of environments: subclass it and write ``reset``, ``step`` and ``state``.

    ``reset`` and ``step`` may be written as ``async def``, or have async versions beside them in
    ``reset_async`` and ``step_async``. Options beyond ``seed`` and ``episode_id`` that ``reset`` names in its
    signature can be sent by clients; others are refused, unless it takes ``**kwargs``.

    Args:
        transform: Applied by `_apply_transform`.
        rubric: Asked by `_apply_rubric`.

    Attributes:
        SUPPORTS_CONCURRENT_SESSIONS: Whether one process may hold several instances at once. Where it is
            false the server runs one session, or gives each a process (``EXECUTION = "process"``).
        EXECUTION: Where an instance runs. ``"inline"``: on the server's own event loop, for methods that
            return at once. ``"async"``: on a second event loop, which all sessions share. ``"thread"``: on a
            thread of its own. ``"process"``: in a process of its own, which can be killed. ``None``:
            ``"async"`` when it has async methods, else ``"thread"``.
        MAX_SESSIONS: How many sessions one server can bear; ``None`` leaves it to the kind of execution.
        LENIENT: Whether ``step`` before ``reset`` or after the episode's end reaches the environment.
            Tool environments want it: their clients list the tools first.
        OFFERS_TOOLS: Whether ``step`` takes `ListToolsAction` and `CallToolAction` beside the environment's
            own actions; then its tools are offered over MCP too.
        REQUIRES_SINGLE_THREAD_EXECUTOR: Accepted for OpenEnv, without effect: an instance's methods share
            a thread anyway, and a library that bears only one thread a process needs ``"process"``.
    """

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = False
    EXECUTION: ClassVar[Literal["inline", "async", "thread", "process"] | None] = None
    MAX_SESSIONS: ClassVar[int | None] = None
    LENIENT: ClassVar[bool] = False
    OFFERS_TOOLS: ClassVar[bool] = False
    REQUIRES_SINGLE_THREAD_EXECUTOR: ClassVar[bool] = False

    transform: Transform[ObsT] | None = None
    rubric: Rubric | None = None

    def __init__(self, transform: Transform[ObsT] | None = None, rubric: Rubric | None = None) -> None:
        self.transform = transform
        self.rubric = rubric

    @abstractmethod
    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> ObsT:
        """Start an episode and return its first observation."""

    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> ObsT:
        """Start an episode; override it when the work is asynchronous."""
        return self.reset(seed=seed, episode_id=episode_id, **kwargs)

    @abstractmethod
    def step(self, action: ActT, timeout_s: float | None = None, **kwargs: Any) -> ObsT:
        """Apply an action and return what follows.

        Args:
            action: A validated action.
            timeout_s: Seconds until the server gives the session up; ``None`` when there is no deadline.
            **kwargs: Free for the environment's own callers; the server passes none.
        """

    async def step_async(self, action: ActT, timeout_s: float | None = None, **kwargs: Any) -> ObsT:
        """Apply an action; override it when the work is asynchronous."""
        return self.step(action, timeout_s=timeout_s, **kwargs)

    @property
    @abstractmethod
    def state(self) -> StateT:
        """Episode bookkeeping; reading it changes nothing."""

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment; override it to say more than the class's name and docstring."""
        name = type(self).__name__
        description = inspect.getdoc(type(self)) if type(self).__doc__ else None
        return EnvironmentMetadata(
            name=name, description=description or f"{name} environment", version="1.0.0"
        )

    def render_web(self, observation: dict[str, Any]) -> str | None:
        """Draw an observation as HTML for the page at ``/web``; ``None`` lists its fields instead."""
        return None

    def web_actions(self, observation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Offer one-click actions for the page at ``/web`` as ``(label, action)`` pairs."""
        return []

    def close(self) -> None:
        """Free what the environment holds. Called once, where the other methods ran; may be ``async def``."""
        return

    def _apply_transform(self, observation: ObsT) -> ObsT:
        """Pass an observation through the transform, if there is one."""
        return observation if self.transform is None else self.transform(observation)

    def _apply_rubric(self, action: ActT, observation: ObsT) -> float:
        """Score a step with the rubric; 0.0 without one.

        Raises:
            TypeError: The rubric is asynchronous.
        """
        if self.rubric is None:
            return 0.0
        score = self.rubric(action, observation)
        if inspect.isawaitable(score):
            if inspect.iscoroutine(score):
                score.close()
            raise TypeError("the rubric is asynchronous: write step_async() and await _apply_rubric_async()")
        return score

    async def _apply_rubric_async(self, action: ActT, observation: ObsT) -> float:
        """Score a step with the rubric, awaiting it if need be; 0.0 without one."""
        if self.rubric is None:
            return 0.0
        score = self.rubric(action, observation)
        return await score if inspect.isawaitable(score) else score

    def _reset_rubric(self) -> None:
        """Tell the rubric that an episode begins; call it in ``reset()``."""
        if self.rubric is not None:
            self.rubric.reset()

    async def _reset_rubric_async(self) -> None:
        """Tell the rubric that an episode begins; call it in ``reset_async()``."""
        if self.rubric is None:
            return
        result = getattr(self.rubric, "reset_async", self.rubric.reset)()
        if inspect.isawaitable(result):
            await result
