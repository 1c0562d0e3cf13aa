"""Episodes played by a fixed agent, recorded, and compared."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel

from openenv_gym.client.sync_client import SyncEnvClient
from openenv_gym.models import Action, StepResult
from openenv_gym.server.environment import Environment
from openenv_gym.server.plain import plain

_ABSENT = object()

Agent = Callable[[dict[str, Any], random.Random], Action]


@dataclass(frozen=True)
class Moment:
    """What one reset or step brought.

    Attributes:
        action: The action taken; ``None`` for the reset.
        observation: The observation's fields, among them ``reward``, ``done``, ``truncated``, ``metadata``.
    """

    action: Action | None
    observation: dict[str, Any]

    @property
    def done(self) -> bool:
        """Whether the episode ended here."""
        return bool(self.observation["done"])


class Player(Protocol):
    """Something that an episode is played on."""

    def reset(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Start an episode; returns the observation's fields."""

    def step(self, action: Action) -> dict[str, Any]:
        """Take one step; returns the observation's fields."""


class RemotePlayer:
    """Plays a session at a server.

    Args:
        client: The session.
    """

    def __init__(self, client: SyncEnvClient[Any, Any, Any]) -> None:
        self._client = client

    def reset(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """See `Player.reset`."""
        return _fields(self._client.reset(**options))

    def step(self, action: Action) -> dict[str, Any]:
        """See `Player.step`."""
        return _fields(self._client.step(action))


class LocalPlayer:
    """Plays an environment in this process, without a server.

    Args:
        environment: The environment; whether its methods are asynchronous is found out by calling them.
    """

    def __init__(self, environment: Environment[Any, Any, Any]) -> None:
        self._environment = environment
        self._runner = asyncio.Runner()

    def reset(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """See `Player.reset`."""
        return self._observed(self._environment.reset_async, self._environment.reset, **options)

    def step(self, action: Action) -> dict[str, Any]:
        """See `Player.step`."""
        return self._observed(self._environment.step_async, self._environment.step, action)

    def close(self) -> None:
        """Close the environment."""
        closing: Any = self._environment.close()  # type: ignore[func-returns-value]  # may be `async def`
        if inspect.isawaitable(closing):
            self._wait(closing)
        self._runner.close()

    def _observed(
        self, async_method: Callable[..., Any], method: Callable[..., Any], *arguments: Any, **options: Any
    ) -> dict[str, Any]:
        # Synchronous methods are called outside of a loop: Playwright's refuse to run inside one.
        overridden = getattr(async_method, "__func__", None) not in (
            Environment.reset_async,
            Environment.step_async,
        )
        result = (async_method if overridden else method)(*arguments, **options)
        observation = self._wait(result) if inspect.isawaitable(result) else result
        dumped: dict[str, Any] = plain(observation.model_dump())
        return dumped

    def _wait(self, awaitable: Any) -> Any:
        async def wait() -> Any:
            return await awaitable

        return self._runner.run(wait())


def play(
    player: Player, agent: Agent, *, seed: int, steps: int, options: Mapping[str, Any] | None = None
) -> list[Moment]:
    """Play an episode to its end, or for so many steps.

    Args:
        player: Where to play.
        agent: Chooses an action from an observation's fields; all that is random in it comes from the
            generator it is given, which starts from ``seed`` too.
        seed: The episode's.
        steps: How many at most.
        options: Further reset options.
    """
    return list(moments(player, agent, seed=seed, steps=steps, options=options))


def moments(
    player: Player, agent: Agent, *, seed: int, steps: int, options: Mapping[str, Any] | None = None
) -> Iterator[Moment]:
    """`play`, a moment at a time, so that episodes can take turns."""
    rng = random.Random(seed)
    moment = Moment(None, player.reset({**(options or {}), "seed": seed}))
    yield moment
    for _ in range(steps):
        if moment.done:
            return
        action = agent(moment.observation, rng)
        moment = Moment(action, player.step(action))
        yield moment


def first_difference(
    one: list[Moment], other: list[Moment], *, ignore: frozenset[str] = frozenset(), as_json: bool = False
) -> str | None:
    """Say where two episodes differ; ``None`` if they do not.

    Args:
        one: An episode.
        other: Another.
        ignore: Fields that may differ, as dotted paths: ``{"metadata.seconds"}``.
        as_json: Whether an array equals the list of its values, as it does where it travelled as JSON.
    """
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        where = "reset" if number == 0 else f"step {number}"
        if found := _difference(left.action, right.action, "action", ignore, as_json):
            return f"{where}: {found}"
        if found := _difference(left.observation, right.observation, "", ignore, as_json):
            return f"{where}: {found}"
    return None if len(one) == len(other) else f"one has {len(one) - 1} steps, the other {len(other) - 1}"


def _difference(one: Any, other: Any, path: str, ignore: frozenset[str], as_json: bool) -> str | None:
    if path in ignore:
        return None
    if isinstance(one, BaseModel) and isinstance(other, BaseModel):
        return _difference(one.model_dump(), other.model_dump(), path, ignore, as_json)
    if as_json:
        one, other = (value.tolist() if isinstance(value, np.ndarray) else value for value in (one, other))
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(_joined(path, key), one.get(key, _ABSENT), other.get(key, _ABSENT)) for key in one | other]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = [(f"{path}[{at}]", *pair) for at, pair in enumerate(zip(one, other, strict=True))]
    elif not _same(one, other):
        return f"{path or 'observation'}: {_shown(one)} and {_shown(other)}"
    found = (_difference(left, right, inner, ignore, as_json) for inner, left, right in pairs)
    return next(filter(None, found), None)


def _joined(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return (
            isinstance(one, np.ndarray)
            and isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
        )
    return bool(one == other) or (one != one and other != other)  # NaN equals NaN here


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}{list(value.shape)}"
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."


def _fields(result: StepResult[Any]) -> dict[str, Any]:
    observed = result.observation
    fields = observed.model_dump() if isinstance(observed, BaseModel) else dict(observed)
    told = {"reward": result.reward, "done": result.done, "truncated": result.truncated}
    metadata = dict(result.metadata or {})
    if result.truncated:
        metadata.pop("truncated", None)  # where OpenEnv's dialect says it
    dumped: dict[str, Any] = plain({**fields, **told, "metadata": metadata})
    return dumped
