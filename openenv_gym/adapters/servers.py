"""An environment's servers while it uses them: who gives them back and when, and what connects to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from openenv_gym.adapters.interface import Interface
from openenv_gym.client.dialects import Dialect
from openenv_gym.client.pool import SessionPool
from openenv_gym.client.schemas import fetch_schema, fetch_tools, takes_tool_calls
from openenv_gym.providers.abandoned import free_in_background
from openenv_gym.providers.endpoint import Endpoint


class Servers:
    """Running servers, and how to give them back; those that are only forgotten are given back too.

    Args:
        endpoints: At least one.
        give_back: Gives back what was started for the caller; ``None`` when nothing was.

    Attributes:
        endpoints: As given.
    """

    def __init__(self, endpoints: tuple[Endpoint, ...], give_back: Callable[[], None] | None) -> None:
        self.endpoints = endpoints
        self._give_back = give_back
        self._users = 1
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def share(self) -> None:
        """Count another user, who calls `release` too."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Give the servers back with the last user's call; each calls it once."""
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last and self._give_back is not None:
            self._give_back()

    def __del__(self) -> None:
        # Without a warning: the session pool, which nobody closed either, gives it.
        if self._users > 0 and self._give_back is not None and self._pid == os.getpid():
            free_in_background(self._give_back)


def connect(
    servers: Servers,
    num_lanes: int,
    *,
    timeout: float,
    lenient: bool,
    reset_options: Mapping[str, Any] | None,
    dialect: Dialect,
    outage_timeout: float,
    render_mode: str | None,
) -> tuple[Interface, SessionPool]:
    """Learn the environment's spaces from a server, and make the pool of sessions; release on failure.

    Raises:
        UsageError: The server does not draw what ``render_mode`` asks for.
        ServerUnreachableError: The server did not answer within ``timeout`` seconds.
        SchemaError: Its schema cannot become spaces.
    """
    try:
        schema = fetch_schema(servers.endpoints[0], timeout=timeout)
        if "tools" not in schema and takes_tool_calls(schema):
            schema["tools"] = fetch_tools(servers.endpoints[0], timeout=timeout)
        interface = Interface(schema, lenient=lenient, reset_options=reset_options)
        interface.require_render_mode(render_mode)
        pool = SessionPool(
            servers.endpoints,
            num_lanes=num_lanes,
            dialect=dialect,
            outage_timeout=outage_timeout,
            share_arrays=True,  # the spaces' codecs copy every array that they decode
        )
        return interface, pool
    except BaseException:
        servers.release()
        raise
