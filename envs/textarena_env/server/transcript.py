"""What TextArena shows a player -> messages, in the form that OpenEnv's environment gives them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from textarena_env.models import TextArenaMessage

_GAME = -1


def convert_messages(shown: str | Iterable[tuple[int, Any, Any]]) -> list[TextArenaMessage]:
    """Convert what a game shows.

    Args:
        shown: One text, from the wrappers that most games come with: the whole game so far, as one message
            of category ``MESSAGE``. Or, from the ``-raw`` games, ``(sender, text, kind)`` triples: what is
            new; those of one sender and one kind that follow each other become one message.
    """
    if isinstance(shown, str):
        return [TextArenaMessage(sender_id=_GAME, content=shown, category="MESSAGE")] if shown else []
    return [
        TextArenaMessage(
            sender_id=sender,
            content="".join(str(text) for _, text, _ in parts),
            category=getattr(kind, "name", str(kind)),
        )
        for (sender, kind), parts in groupby(shown, key=lambda part: (part[0], part[2]))
    ]
