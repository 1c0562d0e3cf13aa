"""The servers of the Echo benchmarks, each in its own process: ours, OpenEnv's, a bare WebSocket echo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local_servers import ours, running, script, upstream

from openenv_gym.providers.endpoint import Endpoint


@dataclass(frozen=True)
class EchoServers:
    """Where they listen.

    Attributes:
        ours: Our `echo_env` on our server.
        upstream: The same environment written for OpenEnv, on OpenEnv's server.
        bare: A WebSocket echo that does nothing else.
    """

    ours: Endpoint
    upstream: Endpoint
    bare: Endpoint


@contextmanager
def echo_servers() -> Iterator[EchoServers]:
    """Run the three servers."""
    commands = {
        "ours": ours("echo_env.server.app:app"),
        "upstream": upstream("upstream_echo:app"),
        "bare": script("bare_echo.py"),
    }
    with running(commands) as endpoints:
        yield EchoServers(**endpoints)
