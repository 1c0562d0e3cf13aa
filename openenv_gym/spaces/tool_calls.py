"""Calls of tools as a space: which tool, and its arguments in a space of that tool's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from openenv_gym.errors import InvalidActionError, SchemaError
from openenv_gym.spaces.compiler import Compiler
from openenv_gym.spaces.keywords import is_record
from openenv_gym.spaces.scalar_codecs import exact_integer
from openenv_gym.spaces.schema import expand
from openenv_gym.spaces.space_codec import SpaceCodec
from openenv_gym.spaces.text import DEFAULT_MAX_LENGTH
from openenv_gym.spaces.union import Union
from openenv_gym.spaces.value_codec import Misfit, ValueCodec


class ToolCalls(Union):
    """A call of one of several tools, as ``(number of the tool, its arguments)``.

    Args:
        calls: The space of each tool's arguments, by the tool's name.

    Attributes:
        tools: The tools' names; the first is number 0.
    """

    def __init__(self, calls: Mapping[str, Any]) -> None:
        super().__init__(list(calls.values()))
        self.tools = tuple(calls)

    def __repr__(self) -> str:
        calls = zip(self.tools, self.spaces, strict=True)
        return f"ToolCalls({', '.join(f'{name}: {space}' for name, space in calls)})"


class _ToolCallCodec(ValueCodec):
    """A ``call_tool`` action as an element of `ToolCalls`."""

    is_leaf = False

    def __init__(self, arguments: Mapping[str, ValueCodec]) -> None:
        space = ToolCalls({name: codec.space for name, codec in arguments.items()})
        super().__init__(space, frozenset({dict}), f"a call of {', '.join(arguments)}")
        self._names = tuple(arguments)
        self._codecs = tuple(arguments.values())

    def decode(self, value: Any) -> tuple[np.int64, Any]:
        name = value.get("tool_name") if isinstance(value, Mapping) else None
        if name not in self._names:
            raise Misfit(self.expects, value)
        number = self._names.index(name)
        try:
            return np.int64(number), self._codecs[number].decode(value.get("arguments", {}))
        except Misfit as misfit:
            raise misfit.under(".arguments") from None

    def encode(self, element: Any) -> dict[str, Any]:
        number = (
            exact_integer(element[0]) if isinstance(element, list | tuple) and len(element) == 2 else None
        )
        if number is None or not 0 <= number < len(self._codecs):
            raise Misfit(f"a pair (number of the tool, arguments), numbered {self._numbered()}", element)
        try:
            arguments = self._codecs[number].encode(element[1])
        except Misfit as misfit:
            raise misfit.under(f".{self._names[number]}") from None
        return {"type": "call_tool", "tool_name": self._names[number], "arguments": arguments}

    def _numbered(self) -> str:
        return ", ".join(f"{number} {name}" for number, name in enumerate(self._names))


def tool_call_codec(
    tools: Sequence[Mapping[str, Any]], *, max_text_length: int = DEFAULT_MAX_LENGTH
) -> SpaceCodec:
    """Build the codec of an environment's tool calls.

    Args:
        tools: What ``tools/list`` gives, at least one: ``name`` and ``inputSchema``. Arguments that no space
            can be made for become JSON text.
        max_text_length: Bound, in characters, of texts whose schema gives none.
    """
    compiler = Compiler(max_text_length)
    arguments = {str(tool["name"]): _arguments(tool.get("inputSchema"), compiler) for tool in tools}
    return SpaceCodec(_ToolCallCodec(arguments), "action", InvalidActionError)


def _arguments(schema: Any, compiler: Compiler) -> ValueCodec:
    try:
        expanded = expand(schema)
        if is_record(expanded):
            assert isinstance(expanded, Mapping)
            return compiler.record(expanded)
    except SchemaError:
        pass  # a tool that cannot be described better can be called all the same
    return compiler.compile({"type": "object"})
