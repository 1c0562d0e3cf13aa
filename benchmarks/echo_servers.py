"""The servers of the Echo benchmarks, each in its own process: ours, OpenEnv's, and two limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local_servers import on_uvicorn, ours, running, script

from openenv_gym.providers.endpoint import Endpoint


@dataclass(frozen=True)
class EchoServers:
    """Where they listen.

    Attributes:
        ours: Our `echo_env` on our server.
        upstream: The same environment written for OpenEnv, on OpenEnv's server.
        limit: The least that a batch of steps takes on one socket, see ``loop_limit.py``.
        bare: A WebSocket echo that does nothing else.
    """

    ours: Endpoint
    upstream: Endpoint
    limit: Endpoint
    bare: Endpoint


@contextmanager
def echo_servers() -> Iterator[EchoServers]:
    """Run the servers."""
    commands = {
        "ours": ours("echo_env.server.app:app"),
        "upstream": on_uvicorn("upstream_echo:app"),
        "limit": on_uvicorn("loop_limit:app"),
        "bare": script("bare_echo.py"),
    }
    with running(commands) as endpoints:
        yield EchoServers(**endpoints)
