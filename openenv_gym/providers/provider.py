"""The interface of everything that starts servers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from types import TracebackType
from typing import Any, Self

from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.server_state import ServerState


class Provider(ABC):
    """Starts one server and stops it again; one object, one server, used once.

    The calls block. Async code wraps them in ``asyncio.to_thread`` and calls `stop` when it is cancelled:
    that ends a `start` which still runs in its thread, or which has not begun yet, and leaves nothing.

    A copy or a pickle of a provider is a new one with the same configuration and no server: the class called
    again with the arguments that made this one.
    """

    _again: tuple[type[Provider], tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments, for copies."""
        self = super().__new__(cls)
        self._again = cls, args, kwargs
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        kind, args, kwargs = self._again
        return partial(kind, *args, **kwargs), ()

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

    def kill(self) -> None:
        """As `stop`, without giving the server time to close its sessions, where that makes a difference.

        For a server that hangs. Raises what `stop` raises.
        """
        self.stop()

    @abstractmethod
    def logs(self) -> str:
        """The latest of what the server wrote; after `stop` too."""

    def state(self) -> ServerState:
        """How the server is, without asking the server itself; cheap enough to be called each second.

        Of a provider that cannot tell it is "unknown".

        Raises:
            ProviderError: What runs the server, a container engine for example, could not be asked.
        """
        return ServerState("unknown")

    @property
    def running(self) -> bool:
        """Whether `state` says that the server runs."""
        return self.state().status == "running"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
