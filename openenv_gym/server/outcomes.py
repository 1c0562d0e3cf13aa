"""What an environment's ``reset`` and ``step`` return -> outcomes: the observation apart from its envelope.

Every step passes here. Where a model's fields are plainly typed (see `plain`), what to take from it is worked
out once a class.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from pydantic import BaseModel

from openenv_gym.models import Observation
from openenv_gym.server.plain import ATOMS, dump_model, plain, plainly_typed_fields
from openenv_gym.wire.messages import Outcome

_ENVELOPE = ("reward", "done", "metadata")


class _Layout(NamedTuple):
    """Where a class of observations keeps what.

    Attributes:
        fields: Names of the observation's own fields; ``None`` where pydantic's serializer must be asked.
        has_truncated: Whether ``truncated`` speaks of the episode: in our own model and its subclasses it
            does, elsewhere it is the author's field.
    """

    fields: tuple[str, ...] | None
    has_truncated: bool


class OutcomeReader:
    """Reads the observations of one environment.

    Args:
        expected: The models that it declares.
        lenient: Take any other model too.
    """

    def __init__(self, expected: tuple[type[BaseModel], ...], *, lenient: bool) -> None:
        self._expected = expected
        self._lenient = lenient
        self._layouts: dict[type, _Layout] = {}

    def read(self, observation: Any, method: str) -> Outcome:
        """Make an outcome of what a method returned; shares nothing with it that could change.

        Args:
            observation: What it returned.
            method: Its name, for messages.

        Raises:
            TypeError: This is no observation, or a part of it cannot be sent.
        """
        layout = self._layouts.get(type(observation))
        if layout is None:
            layout = self._learn(observation, method)
        if layout.fields is None:
            values = dump_model(observation)
            fields = {name: value for name, value in values.items() if name not in _ENVELOPE}
            truncated = layout.has_truncated and bool(fields.pop("truncated", False))
        else:
            values = observation.__dict__
            fields = {
                name: value if type(value := values[name]) in ATOMS else plain(value)
                for name in layout.fields
            }
            truncated = layout.has_truncated and bool(values["truncated"])
        reward, metadata = values.get("reward"), values.get("metadata")
        if reward is not None and type(reward) is not float:
            reward = _number(plain(reward), method)
        if metadata is not None:
            metadata = _mapping(plain(metadata), method) or None
        return Outcome(fields, reward, bool(values.get("done", False)), truncated, metadata)

    def _learn(self, observation: Any, method: str) -> _Layout:
        """Look at the first observation of a class."""
        cls: type[BaseModel] = type(observation)
        if not isinstance(observation, self._expected):
            refuse_awaitable(method, observation)
            if not self._lenient or not isinstance(observation, BaseModel):
                names = " or ".join(dict.fromkeys(expected.__name__ for expected in self._expected))
                raise TypeError(f"{method}() returned {cls.__name__}, not {names}")
        has_truncated = issubclass(cls, Observation)
        fields = plainly_typed_fields(cls)
        if fields is not None:
            envelope = (*_ENVELOPE, "truncated") if has_truncated else _ENVELOPE
            fields = tuple(name for name in fields if name not in envelope)
        layout = self._layouts[cls] = _Layout(fields, has_truncated)
        return layout


def refuse_awaitable(method: str, result: Any) -> None:
    """Raise a TypeError that explains it when a method that should return a value returned an awaitable."""
    if not inspect.isawaitable(result):
        return
    if inspect.iscoroutine(result):
        result.close()
    raise TypeError(f"{method}() returned an awaitable: write it `async def`, or set EXECUTION = 'async'")


def _number(reward: Any, method: str) -> float:
    """Accept any plain number, or an array of one, as a reward; booleans count 0 and 1."""
    if hasattr(reward, "__array__"):
        reward = reward.item()
    if type(reward) is int:
        return reward  # a float would not hold it beyond 2**53
    if isinstance(reward, int | float):
        return float(reward)
    raise TypeError(f"{method}() returned a reward that is a {type(reward).__name__}, not a number")


def _mapping(metadata: Any, method: str) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise TypeError(f"{method}() returned metadata that is a {type(metadata).__name__}, not a dict")
    return metadata
