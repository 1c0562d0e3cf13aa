"""What an environment's class says about calling it: which methods are async, and what ``reset`` takes.

Works on any class with OpenEnv's methods, whatever it inherits from.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Required, get_type_hints

from annotated_types import Ge, MaxLen
from pydantic import ConfigDict, Strict, TypeAdapter
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict  # pydantic accepts no other before Python 3.12

_SEED = Annotated[int, Strict(), Ge(0)] | None
_EPISODE_ID = Annotated[str, MaxLen(255)] | None


@dataclass(frozen=True)
class ResetOptions:
    """What ``reset`` accepts.

    Attributes:
        names: The options it names, beyond ``seed`` and ``episode_id``, in the order of its signature.
        open: Whether it takes any others too, by ``**kwargs``.
        seed: Whether it takes ``seed``.
        episode_id: Whether it takes ``episode_id``.
        adapter: Validates a dict of options against the signature's annotations.
    """

    names: tuple[str, ...]
    open: bool
    seed: bool
    episode_id: bool
    adapter: TypeAdapter[Any]

    def dropped(self, options: dict[str, Any]) -> list[str]:
        """List which of ``seed`` and ``episode_id`` were sent but are not taken."""
        taken = {"seed": self.seed, "episode_id": self.episode_id}
        return [name for name, takes in taken.items() if not takes and options.get(name) is not None]

    def unknown(self, options: dict[str, Any]) -> list[str]:
        """List the options sent that ``reset`` has no place for."""
        if self.open:
            return []
        return [name for name in options if name not in self.names and name not in ("seed", "episode_id")]


@dataclass(frozen=True)
class Methods:
    """Which of an environment's methods to call, and how.

    Attributes:
        reset: ``"reset"`` or ``"reset_async"``.
        step: ``"step"`` or ``"step_async"``.
        reset_is_async: Whether the former is a coroutine function.
        step_is_async: Whether the latter is.
        step_takes_timeout: Whether it has a place for ``timeout_s``.
        reset_options: What the former accepts.
    """

    reset: str
    step: str
    reset_is_async: bool
    step_is_async: bool
    step_takes_timeout: bool
    reset_options: ResetOptions


def has_async_methods(cls: type) -> bool:
    """Whether a class overrides ``reset_async`` or ``step_async``, or has an async ``reset`` or ``step``."""
    return any(
        _overrides_async(cls, name) or inspect.iscoroutinefunction(getattr(cls, name, None))
        for name in ("reset", "step")
    )


def read_methods(cls: type, *, prefer_async: bool) -> Methods:
    """Read an environment's class.

    Args:
        cls: The class.
        prefer_async: Choose ``reset_async`` and ``step_async`` where the class overrides them.
    """
    reset, step = (
        f"{name}_async" if prefer_async and _overrides_async(cls, name) else name
        for name in ("reset", "step")
    )
    reset_function, step_function = getattr(cls, reset), getattr(cls, step)
    return Methods(
        reset=reset,
        step=step,
        reset_is_async=inspect.iscoroutinefunction(reset_function),
        step_is_async=inspect.iscoroutinefunction(step_function),
        step_takes_timeout="timeout_s" in inspect.signature(step_function).parameters,
        reset_options=_read_reset_options(reset_function),
    )


def offers_snapshots(cls: type) -> bool:
    """Whether a class has the methods of `environment.Restorable`; others of these names do not count."""
    try:
        inspect.signature(cls.snapshot).bind(None)  # type: ignore[attr-defined]
        inspect.signature(cls.restore).bind(None, None)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        return False
    return True


def _overrides_async(cls: type, name: str) -> bool:
    """Whether ``<name>_async`` is the author's, not the default of a base whose ``<name>`` is abstract."""
    for base in cls.__mro__:
        if f"{name}_async" in vars(base):
            return not getattr(vars(base).get(name), "__isabstractmethod__", False)
    return False


def _read_reset_options(function: Callable[..., Any]) -> ResetOptions:
    parameters = [
        parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name != "self"
    ]
    names = [parameter.name for parameter in parameters]
    is_open = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
    own = tuple(name for name in names if name not in ("seed", "episode_id"))
    required = {p.name for p in parameters if p.default is p.empty and p.name in own}
    hints = _hints(function)
    return ResetOptions(
        names=own,
        open=is_open,
        seed="seed" in names or is_open,
        episode_id="episode_id" in names or is_open,
        adapter=_adapter({name: hints.get(name, Any) for name in own}, required, is_open),
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Resolve annotations; those that cannot be (a name imported for the type checker only) bind nothing."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError):
        return {}


def _adapter(hints: dict[str, Any], required: set[str], is_open: bool) -> TypeAdapter[Any]:
    try:
        return _typed_adapter(hints, required, is_open)
    except (PydanticUserError, NameError):  # an annotation that is no pydantic type: leave it to the author
        return _typed_adapter(dict.fromkeys(hints, Any), required, is_open)


def _typed_adapter(hints: dict[str, Any], required: set[str], is_open: bool) -> TypeAdapter[Any]:
    fields = {name: Required[hint] if name in required else hint for name, hint in hints.items()}
    # A TypedDict and not a model: its fields may have any name, and only what was sent is passed on.
    make: Any = TypedDict
    options = make("ResetOptions", {**fields, "seed": _SEED, "episode_id": _EPISODE_ID}, total=False)
    options.__pydantic_config__ = ConfigDict(
        extra="allow" if is_open else "forbid", arbitrary_types_allowed=True
    )
    return TypeAdapter(options)
