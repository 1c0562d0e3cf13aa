"""An environment's servers while it uses them: who gives them back and when, and what connects to them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from openenv_gym.adapters.interface import Interface
from openenv_gym.client.dialects import Dialect
from openenv_gym.client.fleet import Fleet
from openenv_gym.client.pool import SessionPool
from openenv_gym.client.schemas import fetch_schema, fetch_tools, takes_tool_calls
from openenv_gym.errors import ServerUnreachableError
from openenv_gym.providers.abandoned import free_in_background
from openenv_gym.providers.endpoint import Endpoint

_PAUSE = 0.1  # seconds between attempts to reach a server of a fleet
_PATIENCE = 10.0  # seconds for one of them


class Servers:
    """Running servers, and how to give them back; those that are only forgotten are given back too.

    Args:
        source: At least one, or the fleet that keeps them.
        give_back: Gives back what was started for the caller; ``None`` when nothing was.

    Attributes:
        source: As given.
    """

    def __init__(self, source: tuple[Endpoint, ...] | Fleet, give_back: Callable[[], None] | None) -> None:
        self.source = source
        self._give_back = give_back
        self._users = 1
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The servers that there are now; a fleet may have none for a moment."""
        return self.source if isinstance(self.source, tuple) else self.source.endpoints

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
        if isinstance(servers.source, Fleet):
            servers.source.require_room(num_lanes)
        schema = _fetch_schema(servers, timeout)
        interface = Interface(schema, lenient=lenient, reset_options=reset_options)
        interface.require_render_mode(render_mode)
        pool = SessionPool(
            servers.source,
            num_lanes=num_lanes,
            dialect=dialect,
            outage_timeout=outage_timeout,
            share_arrays=True,  # the spaces' codecs copy every array that they decode
        )
        return interface, pool
    except BaseException:
        servers.release()
        raise


def _fetch_schema(servers: Servers, timeout: float) -> dict[str, Any]:
    """Fetch the schema, with its tools, from the first server that answers."""
    deadline = time.monotonic() + timeout
    is_kept = isinstance(servers.source, Fleet)
    while True:
        endpoints = servers.endpoints
        for endpoint in endpoints:
            left = max(0.01, deadline - time.monotonic())
            left = min(left, _PATIENCE) if is_kept else left  # it may be the one that is about to be replaced
            try:
                schema = fetch_schema(endpoint, timeout=left)
                if "tools" not in schema and takes_tool_calls(schema):
                    schema["tools"] = fetch_tools(endpoint, timeout=left)
            except ServerUnreachableError:
                if not is_kept or time.monotonic() >= deadline:
                    raise
            else:
                return schema
        if not endpoints and time.monotonic() >= deadline:
            raise ServerUnreachableError(f"no server of the fleet answered within {timeout:g} s")
        time.sleep(_PAUSE)  # a fleet replaces what does not answer
