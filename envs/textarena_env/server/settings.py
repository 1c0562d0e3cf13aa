"""What an operator may set on a TextArena server, by OpenEnv's environment variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_OPTION_PREFIX = "TEXTARENA_KW_"


@dataclass(frozen=True)
class TextArenaSettings:
    """The game of episodes whose reset names none.

    Attributes:
        env_id: ``TEXTARENA_ENV_ID``: its id.
        num_players: ``TEXTARENA_NUM_PLAYERS``: how many play it; by default as few as it takes.
        max_turns: ``TEXTARENA_MAX_TURNS``: a turn limit.
        env_kwargs: ``TEXTARENA_KW_*``: its own options, each as JSON where it is JSON, else as text.
        reveal_state: ``TEXTARENA_REVEAL_STATE=1``: show secrets in the state while a game is on.
    """

    env_id: str = "Wordle-v0"
    num_players: int | None = None
    max_turns: int | None = None
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    reveal_state: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> TextArenaSettings:
        """Read the variables.

        Raises:
            ValueError: A number is none.
        """
        return cls(
            env_id=environ.get("TEXTARENA_ENV_ID") or cls.env_id,
            num_players=_count(environ, "TEXTARENA_NUM_PLAYERS"),
            max_turns=_count(environ, "TEXTARENA_MAX_TURNS"),
            env_kwargs={
                name.removeprefix(_OPTION_PREFIX).lower(): _value(text)
                for name, text in environ.items()
                if name.startswith(_OPTION_PREFIX)
            },
            reveal_state=environ.get("TEXTARENA_REVEAL_STATE", "").lower() in {"1", "true"},
        )


def _count(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name}={text!r} is not a positive number")
    return int(text)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
