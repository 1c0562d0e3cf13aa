"""The interface of everything that starts servers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from openenv_gym.providers.endpoint import Endpoint, ServerSpec


class Provider(ABC):
    """Starts one server and stops it again; one object, one server, used once.

    The calls block. Async code wraps them in ``asyncio.to_thread`` and calls `stop` when it is cancelled:
    that ends a `start` which still runs in its thread, or which has not begun yet, and leaves nothing.

    A copy or a pickle of a provider is a new one with the same configuration and no server.
    """

    @abstractmethod
    def start(self, spec: ServerSpec) -> Endpoint:
        """Start the server and wait until it answers.

        Raises:
            StartupError: It died or was not ready in time; carries the end of its log. Nothing is left.
            ClosedError: This provider was stopped before.
            UsageError: This provider runs its server already, or cannot run what ``spec`` names.
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop the server and return when it is gone. Works in every state, and any number of times.

        Raises:
            ProviderError: Something of the server could not be ended.
        """

    @abstractmethod
    def logs(self) -> str:
        """The latest of what the server wrote; after `stop` too."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
