"""A container provider as users of OpenEnv write them: three methods, and none of this library's bases."""

from __future__ import annotations

import threading
from typing import Any


class LentContainer:
    """Hands out a server that runs already, and takes down what it was asked.

    Args:
        url: The server's.
        fails: The method that raises: "start", "wait" or "stop".
    """

    def __init__(self, url: str, fails: str = "") -> None:
        self.url = url
        self.fails = fails
        self.calls: list[tuple[Any, ...]] = []
        self.may_start = threading.Event()
        self.may_start.set()

    def start_container(
        self, image: str, port: int | None = None, env_vars: dict[str, str] | None = None, **kwargs: Any
    ) -> str:
        self._note("start", image, env_vars, kwargs)
        self.may_start.wait(60)
        return self.url

    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        self._note("wait", base_url, timeout_s)

    def stop_container(self) -> None:
        self._note("stop")

    def _note(self, call: str, *details: Any) -> None:
        self.calls.append((call, *details))
        if self.fails == call:
            raise TimeoutError("not today")

    @property
    def order(self) -> list[str]:
        return [call[0] for call in self.calls]
