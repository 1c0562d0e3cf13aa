"""An environment as a server sees it: how to make one, its models, where it runs, how many at once."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, get_type_hints

from pydantic import BaseModel

from openenv_gym.errors import ConcurrencyConfigurationError, UsageError
from openenv_gym.models import State
from openenv_gym.server.environment import Environment
from openenv_gym.server.import_path import import_path, resolve
from openenv_gym.server.outcomes import OutcomeReader
from openenv_gym.server.signatures import Methods, has_async_methods, offers_snapshots, read_methods
from openenv_gym.tools import CallToolAction, ListToolsAction

logger = logging.getLogger(__name__)

_TOOL_ACTIONS: dict[str, type[BaseModel]] = {"list_tools": ListToolsAction, "call_tool": CallToolAction}
# By module and name: OpenEnv itself is never imported here.
_SIGNS_OF_UPSTREAM_TOOLS = {("mcp_environment", "MCPEnvironment"), ("types", "Action")}


class Execution(StrEnum):
    """Where an environment's code runs."""

    INLINE = "inline"  # on the caller's event loop
    ASYNC = "async"  # on a second event loop
    THREAD = "thread"  # on a thread a session
    PROCESS = "process"  # in a process a session


# Sessions of one server where the environment declares no MAX_SESSIONS. A session on a loop costs an object,
# on a thread a stack, in a process an interpreter.
_DEFAULT_CAPACITY = {
    Execution.INLINE: 1024,
    Execution.ASYNC: 1024,
    Execution.THREAD: 256,
    Execution.PROCESS: max(4, 2 * (os.cpu_count() or 1)),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How another process defines an environment: a function to call there.

    Attributes:
        name: The environment's public name.
        function: Its import path, ``"module:qualname"``. It takes ``execution=`` beside the arguments, and
            returns an `EnvironmentDefinition`.
        arguments: Its keyword arguments, as values that `wire.pipe` carries.
    """

    name: str
    function: str
    arguments: dict[str, Any]

    def define(self, execution: Execution) -> EnvironmentDefinition:
        """Import everything and define the environment again."""
        definition: EnvironmentDefinition = resolve(self.function)(**self.arguments, execution=execution)
        return definition


@dataclass(frozen=True)
class EnvironmentDefinition:
    """Everything the server knows about an environment before it makes one.

    Attributes:
        factory: Makes an instance; a class or another callable without arguments.
        environment_cls: The class of those instances.
        action_cls: Model that actions are validated by.
        observation_cls: Model that ``step`` returns.
        state_cls: Model of the ``state`` property.
        reset_observation_cls: Model that ``reset`` returns.
        name: The environment's public name.
        execution: Where it runs.
        capacity: How many sessions a server runs at once.
        lenient: Whether the environment itself judges a step before reset or after done.
        shared_instance: Whether all sessions, one after another, get the same instance. It is never closed by
            a session; `close` closes it.
        methods: Which methods to call, and what ``reset`` accepts.
        offers_snapshots: Whether it has ``snapshot()`` and ``restore(state)``.
        gymnasium_metadata: What clients find as their ``metadata``; see `environment.Renderable`.
        tool_actions: Where the environment has tools: the models of the actions ``list_tools`` and
            ``call_tool``.
        recipe: How a worker process defines it again; only where ``execution`` is ``process``.
    """

    factory: Callable[[], Any]
    environment_cls: type
    action_cls: type[BaseModel]
    observation_cls: type[BaseModel]
    state_cls: type[BaseModel]
    reset_observation_cls: type[BaseModel]
    name: str
    execution: Execution
    capacity: int
    lenient: bool
    shared_instance: bool
    methods: Methods
    offers_snapshots: bool
    gymnasium_metadata: Mapping[str, Any]
    tool_actions: Mapping[str, type[BaseModel]]
    recipe: Recipe | None = None

    @functools.cached_property
    def validate_action(self) -> Callable[[dict[str, Any]], BaseModel]:
        """Makes a model of an action's fields: `action_cls`, or one of `tool_actions` chosen by ``type``."""
        validate = _validator(self.action_cls)
        tools = self.tool_actions
        if not tools or ("type" in self.action_cls.model_fields and self.action_cls not in tools.values()):
            return validate  # a field of the author's own decides what it means

        def validate_either(fields: dict[str, Any]) -> BaseModel:
            kind = fields.get("type")
            if kind is None:
                return validate(fields)
            return tools.get(str(kind), self.action_cls).model_validate(fields)

        return validate_either

    @functools.cached_property
    def outcomes(self) -> OutcomeReader:
        """Makes outcomes of what ``reset`` and ``step`` return."""
        return OutcomeReader((self.observation_cls, self.reset_observation_cls), lenient=self.lenient)

    @property
    def acts_by_tools(self) -> bool:
        """Whether its actions are calls of tools, and nothing else that its schema would describe."""
        names_no_fields = self.action_cls.model_fields.keys() <= {"metadata"}
        return bool(self.tool_actions) and (names_no_fields or self.action_cls in self.tool_actions.values())

    @property
    def is_async(self) -> bool:
        """Whether ``reset`` or ``step`` is a coroutine function."""
        return self.methods.reset_is_async or self.methods.step_is_async

    @property
    def render_modes(self) -> tuple[str, ...]:
        """What ``render(mode)`` can draw."""
        return tuple(self.gymnasium_metadata.get("render_modes", ()))

    @property
    def features(self) -> tuple[str, ...]:
        """Of ``snapshot`` (with ``restore``), ``fork`` and ``render``, what a client can ask for."""
        offered = {
            "snapshot": self.offers_snapshots,
            "fork": self.offers_snapshots and self.capacity > 1,
            "render": bool(self.render_modes),
        }
        return tuple(feature for feature, is_offered in offered.items() if is_offered)

    def close(self) -> None:
        """Close the shared instance, if there is one; call it once, when the server stops."""
        if not self.shared_instance:
            return
        try:
            self.factory().close()
        except Exception:
            logger.exception("%s: close() of the shared environment failed", self.name)


def _validator(model: type[BaseModel]) -> Callable[[dict[str, Any]], BaseModel]:
    """What ``model_validate`` calls, unless an author has put something in its place: half of its time."""
    if model.model_validate.__func__ is not BaseModel.model_validate.__func__:  # type: ignore[attr-defined]
        return model.model_validate
    validate: Callable[[dict[str, Any]], BaseModel] = model.__pydantic_validator__.validate_python
    return validate


def define(
    env: Any,
    action_cls: type[BaseModel],
    observation_cls: type[BaseModel],
    *,
    name: str | None = None,
    max_sessions: int | None = None,
    execution: str | None = None,
    state_cls: type[BaseModel] = State,
    reset_observation_cls: type[BaseModel] | None = None,
    gymnasium_metadata: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
) -> EnvironmentDefinition:
    """Inspect an environment and settle how it is run.

    Args:
        env: An environment's class, a callable without arguments that makes one, or (as OpenEnv's first
            releases had it) one instance, which then serves one session at a time. A callable that is no
            class and has no return annotation is called once, to learn what it makes.
        action_cls: Model of its actions.
        observation_cls: Model of its observations.
        name: Public name; the class's by default.
        max_sessions: Sessions at once; by default what the class declares, or what suits ``execution``.
        execution: Overrides the class's own ``EXECUTION``.
        state_cls: Model of its state.
        reset_observation_cls: Model of the observations that ``reset`` returns, where they differ.
        gymnasium_metadata: As the class's ``GYMNASIUM_METADATA``, where it depends on the environment.
        recipe: How a worker process defines it; by default by the import paths of all that is given here.

    Raises:
        UsageError: The environment cannot be run like this; the message says what to change.
        ConcurrencyConfigurationError: More sessions were asked for than the environment supports.
    """
    shared = not inspect.isclass(env) and hasattr(env, "reset") and hasattr(env, "step")
    if not shared and not callable(env):
        raise UsageError(
            f"env is a {type(env).__name__}: give an environment's class, or a callable that makes one"
        )
    cls = type(env) if shared else _environment_class(env)
    where = _settle_execution(cls, execution)
    definition = EnvironmentDefinition(
        factory=(lambda: env) if shared else env,
        environment_cls=cls,
        action_cls=action_cls,
        observation_cls=observation_cls,
        state_cls=state_cls,
        reset_observation_cls=reset_observation_cls or observation_cls,
        name=name or cls.__name__,
        execution=where,
        capacity=_settle_capacity(cls, where, max_sessions, shared),
        lenient=bool(getattr(cls, "LENIENT", False)) or not issubclass(cls, Environment),
        shared_instance=shared,
        methods=read_methods(cls, prefer_async=where is not Execution.THREAD),
        offers_snapshots=offers_snapshots(cls),
        gymnasium_metadata=_settle_metadata(cls, gymnasium_metadata),
        tool_actions=_tool_actions(cls, action_cls),
    )
    if where is Execution.PROCESS:
        return replace(definition, recipe=recipe or _recipe(definition))
    return definition


def define_by_names(
    factory: str,
    action_cls: str,
    observation_cls: str,
    state_cls: str,
    reset_observation_cls: str,
    *,
    name: str,
    execution: str,
) -> EnvironmentDefinition:
    """Define an environment whose parts are given as import paths."""
    return define(
        resolve(factory),
        resolve(action_cls),
        resolve(observation_cls),
        name=name,
        execution=execution,
        state_cls=resolve(state_cls),
        reset_observation_cls=resolve(reset_observation_cls),
    )


def _environment_class(factory: Callable[[], Any]) -> type:
    """Find the class a factory makes: itself, its return annotation, or the type of a trial instance."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    if inspect.isclass(factory):
        return factory
    try:
        annotated = get_type_hints(factory).get("return")
    except (NameError, AttributeError, TypeError):
        annotated = None
    if inspect.isclass(annotated) and hasattr(annotated, "reset") and not inspect.isabstract(annotated):
        return annotated
    return _class_of_trial_instance(factory)


def _class_of_trial_instance(factory: Callable[[], Any]) -> type:
    try:
        instance = factory()
    except Exception as error:
        raise UsageError(
            f"{factory!r} failed when it was called to learn which environment it makes "
            f"({type(error).__name__}: {error}). Give the class itself, or annotate what it returns, so that "
            "it is called for sessions only"
        ) from error
    try:
        instance.close()
    except Exception:
        logger.exception("%s: close() of the trial instance failed", type(instance).__name__)
    return type(instance)


def _settle_execution(cls: type, asked: str | None) -> Execution:
    missing = [name for name in ("reset", "step") if not hasattr(cls, name)]
    if missing:
        raise UsageError(f"{cls.__name__} is no environment: it has no {' and no '.join(missing)}")
    declared = asked or getattr(cls, "EXECUTION", None)
    if declared is None:
        return Execution.ASYNC if has_async_methods(cls) else Execution.THREAD
    if declared not in list(Execution):
        known = ", ".join(Execution)
        raise UsageError(f"{cls.__name__}: execution is {declared!r}; it can be one of {known}")
    coroutines = [name for name in ("reset", "step") if inspect.iscoroutinefunction(getattr(cls, name))]
    if declared == Execution.THREAD and coroutines:
        raise UsageError(
            f"{cls.__name__}.{coroutines[0]} is a coroutine function, which a thread cannot run: use "
            "execution 'async', 'inline' or 'process', or write it without async"
        )
    return Execution(declared)


def _settle_capacity(cls: type, execution: Execution, asked: int | None, shared: bool) -> int:
    if asked is not None and asked < 1:
        raise UsageError(f"{cls.__name__}: {asked} sessions were asked for; a server runs at least one")
    isolated = execution is Execution.PROCESS or bool(getattr(cls, "SUPPORTS_CONCURRENT_SESSIONS", False))
    if shared or not isolated:
        if asked is None or asked == 1:
            return 1
        change = (
            "give its class instead of an instance"
            if shared
            else "set SUPPORTS_CONCURRENT_SESSIONS = True on the class if its instances share nothing, "
            "otherwise EXECUTION = 'process', which gives each a process of its own"
        )
        raise ConcurrencyConfigurationError(
            f"{cls.__name__} allows one session at a time, but {asked} were asked for: ask for 1, or {change}"
        )
    declared: int | None = getattr(cls, "MAX_SESSIONS", None)
    return asked or declared or _DEFAULT_CAPACITY[execution]


def _settle_metadata(cls: type, asked: Mapping[str, Any] | None) -> Mapping[str, Any]:
    metadata: Mapping[str, Any] = getattr(cls, "GYMNASIUM_METADATA", {}) if asked is None else asked
    if metadata.get("render_modes") and not hasattr(cls, "render"):
        raise UsageError(f"{cls.__name__} names render_modes, but has no render(mode)")
    return metadata


def _tool_actions(cls: type, action_cls: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Find the pair of tool actions: ours where the environment offers tools, else OpenEnv's.

    An environment of OpenEnv's is known by its base class, or by its action model: whoever names one of the
    pair, or the bare ``Action``, means "tools", and its clients send ``{"type": "list_tools"}`` and
    ``{"type": "call_tool", ...}`` alike.
    """
    if getattr(cls, "OFFERS_TOOLS", False):
        return dict(_TOOL_ACTIONS)
    names = {kind: model.__name__ for kind, model in _TOOL_ACTIONS.items()}
    home = sys.modules.get(action_cls.__module__) if action_cls.__name__ in names.values() else None
    for kind in (*cls.__mro__, action_cls):
        package, _, module = kind.__module__.rpartition(".")
        if (module, kind.__name__) in _SIGNS_OF_UPSTREAM_TOOLS:
            home = sys.modules.get(f"{package}.mcp_types")
    return {kind: getattr(home, name) for kind, name in names.items() if hasattr(home, name)}


def _recipe(definition: EnvironmentDefinition) -> Recipe:
    parts = ("factory", "action_cls", "observation_cls", "state_cls", "reset_observation_cls")
    paths = {part: import_path(getattr(definition, part)) for part in parts}
    return Recipe(definition.name, import_path(define_by_names), {**paths, "name": definition.name})
