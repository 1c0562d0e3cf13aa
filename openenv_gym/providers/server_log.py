"""What of a server's log goes into a message, and what never does."""

from __future__ import annotations

_TAIL_LINES = 40
_TAIL_CHARACTERS = 8192


def redacted(text: str, token: str) -> str:
    """The text without the token: a server that prints its environment must not leak it."""
    return text.replace(token, "[token]")


def tail(text: str) -> str:
    """The end of a log, short enough for an error's message."""
    return "\n".join(text.splitlines()[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]
