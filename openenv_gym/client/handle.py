"""What a client factory returns: a client that is not started yet."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from openenv_gym.errors import UsageError

if TYPE_CHECKING:
    from openenv_gym.client.env_client import EnvClient
    from openenv_gym.client.sync_client import SyncEnvClient

ClientT = TypeVar("ClientT", bound="EnvClient[Any, Any, Any]")


class UnstartedClient(Generic[ClientT]):
    """Starts a client in the caller's colour: ``await handle`` or ``handle.sync()``, once.

    A handle that is never started holds nothing and may be dropped.

    Args:
        make: Makes the client, without starting anything.
        made_by: The call that returned the handle, for messages.
    """

    def __init__(self, make: Callable[[], ClientT], made_by: str) -> None:
        self._make: Callable[[], ClientT] | None = make
        self._made_by = made_by

    def __await__(self) -> Generator[Any, None, ClientT]:
        return self._start().__await__()

    def sync(self) -> SyncEnvClient[Any, Any, Any]:
        """Start the server, connect, and return the synchronous client.

        Raises:
            StartupError: The server did not come up.
            ServerUnreachableError: It cannot be reached.
        """
        return self._take().sync().__enter__()

    async def _start(self) -> ClientT:
        return await self._take().__aenter__()

    def _take(self) -> ClientT:
        make, self._make = self._make, None
        if make is None:
            raise UsageError(f"{self._made_by} starts one client, and did: call it again for another")
        return make()

    def _refuse(self, use: str) -> UsageError:
        return UsageError(
            f"{self._made_by} returns a client that is not started, so {use} cannot work: use `await` on it, "
            "or call .sync() on it"
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)  # what copy, pickle and inspect probe for
        raise self._refuse(f".{name}")

    def __enter__(self) -> NoReturn:
        raise self._refuse("`with`")

    def __exit__(self, *error: object) -> None: ...

    async def __aenter__(self) -> NoReturn:
        raise self._refuse("`async with`")

    async def __aexit__(self, *error: object) -> None: ...

    def __iter__(self) -> NoReturn:
        raise self._refuse("iteration")

    def __repr__(self) -> str:
        return f"<client from {self._made_by}, not started: await it, or call .sync()>"
