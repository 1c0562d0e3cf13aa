"""The codec of values that have no shape: any JSON value, as its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openenv_gym.spaces.json_text import JsonText, dumps, loads
from openenv_gym.spaces.value_codec import Misfit, ValueCodec, kind_of


class JsonTextCodec(ValueCodec):
    """A JSON value as JSON text: ``{"a": 1}`` as ``'{"a":1}'``, ``"x"`` as ``'"x"'``."""

    is_leaf = False  # equal values can have different texts

    space: JsonText

    def __init__(self, space: JsonText) -> None:
        kinds = space.kinds
        names = sorted(kind.__name__ for kind in kinds)
        super().__init__(space, kinds, f"a JSON value of type {' or '.join(names)}")

    def decode(self, value: Any) -> str:
        if kind_of(value) not in self.kinds:
            raise Misfit(self.expects, value)
        try:
            text = dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise Misfit(f"{self.expects} ({error})", value) from None
        if not super(JsonText, self.space).contains(text):
            raise Misfit(
                f"{self.expects}, as Unicode text of at most {self.space.max_length} characters", value
            )
        return text

    def encode(self, element: Any) -> Any:
        if not isinstance(element, str):
            raise Misfit(f"JSON text of {self.expects}", element)
        try:
            value = loads(element)
        except ValueError as error:
            raise Misfit(f"JSON text ({error})", element) from None
        if type(value) not in self.kinds:
            raise Misfit(f"JSON text of {self.expects}", element)
        return value

    def text_fields(self, path: str) -> Iterator[str]:
        yield path
