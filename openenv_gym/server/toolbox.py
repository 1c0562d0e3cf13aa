"""Python functions as tools: schemas from their signatures, arguments checked, results laid out as MCP's."""

from __future__ import annotations

import functools
import inspect
import json
import types
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from openenv_gym.errors import ToolCallError
from openenv_gym.server.plain import plain
from openenv_gym.tools import RESERVED_TOOL_NAMES, Tool, ToolErrorType, ToolResult

_MAX_MESSAGE = 10_000  # characters of an exception's text that are passed on


Binder = TypeAdapter[tuple[tuple[Any, ...], dict[str, Any]]]
"""Validates arguments into ``(args, kwargs)``. The function itself is called after it, so that a
``ValidationError`` out of its body is not taken for wrong arguments."""


class _Form(NamedTuple):
    """What is worth working out once a function."""

    binder: Binder
    description: str
    input_schema: dict[str, Any]


class _Entry(NamedTuple):
    """One tool."""

    function: Callable[..., Any]
    form: _Form


class Toolbox:
    """Tools by name, in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def add(self, function: Callable[..., Any], name: str | None = None) -> None:
        """Make a function a tool. Its docstring describes it, its annotations make its schema.

        Args:
            function: The function; a coroutine function only where the environment awaits results.
            name: The tool's name, by default the function's.

        Raises:
            ValueError: The name is reserved.
        """
        name = name or function.__name__
        refuse_reserved([name])
        if isinstance(function, types.MethodType):
            form = _form_of_method(function.__func__)
        else:
            form = _form_of(function)
        self._entries[name] = _Entry(function, form)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def tools(self) -> list[Tool]:
        """Their descriptions."""
        return [
            Tool(name=name, description=form.description, input_schema=form.input_schema)
            for name, (_, form) in self._entries.items()
        ]

    def bind(self, name: str, arguments: dict[str, Any]) -> Callable[[], Any]:
        """Find a tool and validate its arguments.

        Returns:
            The call, without arguments.

        Raises:
            ToolCallError: There is no such tool, or the arguments do not fit.
        """
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(self._entries) or "none"
            message = f"Unknown tool: {name[:200]!r}; the tools are {known}"
            raise ToolCallError(message, ToolErrorType.TOOL_NOT_FOUND.value)
        try:
            args, kwargs = entry.form.binder.validate_python(arguments)
        except ValidationError as error:
            raise ToolCallError(_findings(error), ToolErrorType.INVALID_ARGS.value) from None
        return functools.partial(entry.function, *args, **kwargs)


def refuse_reserved(names: Iterable[str]) -> None:
    """Raise a ValueError where names of tools are reserved ones."""
    if conflicts := sorted(RESERVED_TOOL_NAMES.intersection(names)):
        raise ValueError(
            f"tools cannot be named {', '.join(conflicts)}: {', '.join(sorted(RESERVED_TOOL_NAMES))} are "
            "reserved, because whoever calls tools must not control the episode"
        )


def lay_out(value: Any) -> ToolResult:
    """Lay out what a function returned as the result of a tool.

    Raises:
        TypeError: A part of it cannot be sent.
    """
    data = plain(value)
    block = {"type": "text", "text": _text(data), "annotations": None, "meta": None}
    content = [] if data is None else [block]
    structured = data if isinstance(data, dict) else {"result": data}
    return ToolResult(content=content, structured_content=structured, meta=None, data=data)


def describe_failure(error: BaseException) -> str:
    """Word an exception for the agent, bounded."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}... ({len(text)} characters)"


@functools.lru_cache(maxsize=1024)
def _form_of_method(function: Callable[..., Any]) -> _Form:
    """Work out the form of a method once for all instances: sessions come and go by the thousand."""
    return _form_of(types.MethodType(function, object()))


def _form_of(function: Callable[..., Any]) -> _Form:
    @functools.wraps(function)
    def bind(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    binder: Binder = TypeAdapter(cast(Any, bind))
    schema = binder.json_schema(schema_generator=_Untitled)
    for parameter in schema.get("properties", {}).values():
        parameter.pop("title", None)  # the name again
    return _Form(binder, inspect.getdoc(function) or "", schema)


class _Untitled(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _findings(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:20]
    return "; ".join(f"{'.'.join(map(str, entry['loc'])) or 'arguments'}: {entry['msg']}" for entry in found)


def _text(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, default=_array_as_list)


def _array_as_list(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(
        f"a tool's result holds {type(value).__name__}, which has no text: return text, numbers, "
        "lists or dicts"
    )
