"""What an engine says of one environment, and the name it is asked by.

An engine is a module with one function::

    def blueprint(environment_id: str, options: dict[str, Any]) -> Blueprint:
        '''Raises UsageError, with suggestions, where the library has no such environment.'''

and a line in `openenv_gym.server.engine_table`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from openenv_gym.errors import UsageError
from openenv_gym.models import Action, Observation, State
from openenv_gym.server.environment import Environment


@dataclass(frozen=True)
class Blueprint:
    """How to make an environment, and its models.

    Attributes:
        factory: Makes an instance; an `Environment` class, or a `functools.partial` of one. The class says by
            ``EXECUTION`` where it runs.
        action_cls: Model of its actions; `space_model.action_model` makes one from a space.
        observation_cls: Model of its observations.
        reset_observation_cls: Model of what ``reset`` returns, where it is another.
        state_cls: Model of its state.
        execution: Overrides the class's ``EXECUTION``, where it depends on the environment.
        gymnasium_metadata: Overrides the class's ``GYMNASIUM_METADATA``, likewise.
    """

    factory: Callable[[], Environment[Any, Any, Any]]
    action_cls: type[Action]
    observation_cls: type[Observation]
    reset_observation_cls: type[Observation] | None = None
    state_cls: type[State] = State
    execution: str | None = None
    gymnasium_metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EngineName:
    """A name in its parts.

    Attributes:
        engine: The engine's name.
        environment_id: The library's own name for the environment.
        options: Keyword arguments for the library, where the name has any.
    """

    engine: str
    environment_id: str
    options: dict[str, Any]


def parse_name(name: str) -> EngineName:
    """Take ``engine:ID`` or ``engine:ID?key=value&...`` apart; values are JSON, or else text.

    >>> parse_name("gymnasium:FrozenLake-v1?map_name=8x8&is_slippery=false").options
    {'map_name': '8x8', 'is_slippery': False}

    Raises:
        UsageError: It has no id, or its options are not written like this.
    """
    engine, _, rest = name.partition(":")
    environment_id, _, query = rest.partition("?")
    if not environment_id:
        raise UsageError(f"{name!r} names no environment: write it as {engine}:ID")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise UsageError(f"the options of {name!r} are written ?key=value&key=value") from None
    return EngineName(engine, environment_id, {key: _value(text) for key, text in pairs})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
