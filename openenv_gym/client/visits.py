"""What is known of a server that was reached, in either dialect."""

from __future__ import annotations

from collections.abc import Callable

from openenv_gym.client.v1.connection import SharedConnection
from openenv_gym.providers.endpoint import Endpoint


class SilentVisit:
    """A `Visit` of a server that says nothing of itself: OpenEnv's dialect has no words for it.

    Args:
        on_leave: Called at the end.
    """

    room = free = None
    instance = group = ""
    siblings: tuple[Endpoint, ...] = ()

    def __init__(self, on_leave: Callable[[], None] = lambda: None) -> None:
        self.leave = on_leave


class SharedVisit:
    """A `Visit` of a server that speaks openenv-gym.v1.

    Args:
        connection: The connection to it, which was told of the visit.
        siblings: Further servers that it named.
    """

    def __init__(self, connection: SharedConnection, siblings: tuple[Endpoint, ...]) -> None:
        self._connection = connection
        self.siblings = siblings
        self.leave = connection.end_visit

    @property
    def room(self) -> int | None:
        """Slots that are free or ours."""
        return self._connection.room

    @property
    def free(self) -> int | None:
        """Slots that are free."""
        return self._connection.free

    @property
    def instance(self) -> str:
        """Names this life of the server."""
        return self._connection.greeting.instance

    @property
    def group(self) -> str:
        """What its siblings have in common with it."""
        return self._connection.greeting.group
