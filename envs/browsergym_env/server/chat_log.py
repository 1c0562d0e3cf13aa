"""The conversation between agent and user, kept in memory."""

from __future__ import annotations

import time
from typing import Any

_ROLES = frozenset({"user", "user_image", "assistant", "info", "infeasible"})
GREETING = "Hi! I am your UI assistant, I can perform web tasks for you. What can I help you with?"


class ChatLog:
    """What BrowserGym's `Chat` records, without the browser window that it shows it in.

    Attributes:
        messages: Role, time (seconds since the epoch) and text of each message, oldest first.
    """

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def add_message(self, role: str, msg: str) -> None:
        """Record a message; one of the role ``info`` is for the window alone, and so for nobody.

        Raises:
            ValueError: There is no such role.
        """
        if role not in _ROLES:
            raise ValueError(f"a chat message's role is one of {', '.join(sorted(_ROLES))}, not {role!r}")
        if role != "info":
            self.messages.append({"role": role, "timestamp": time.time(), "message": msg})

    def open(self, goal: list[dict[str, Any]]) -> None:
        """Begin with BrowserGym's greeting and the user's goal.

        Args:
            goal: Texts and images, as OpenAI's chat messages have them.

        Raises:
            ValueError: A part of the goal is something else.
        """
        self.add_message("assistant", GREETING)
        for part in goal:
            match part:
                case {"type": "text", "text": text}:
                    self.add_message("user", text)
                case {"type": "image_url", "image_url": {"url": source} | source}:
                    self.add_message("user_image", source)
                case _:
                    raise ValueError(f"a goal has parts of type text and image_url, not {part!r:.200}")

    def close(self) -> None:
        """Nothing to free."""
