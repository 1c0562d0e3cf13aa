"""The servers of the Echo benchmarks, each in its own process: ours, OpenEnv's, a bare WebSocket echo."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider

_HERE = str(Path(__file__).parent)
_CAPACITY = 4096


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
    python = sys.executable
    ours = (python, "-m", "openenv_gym.server.serve", "echo_env.server.app:app")
    upstream = (python, "-m", "uvicorn", "--app-dir", _HERE, "upstream_echo:app")
    commands = {
        "ours": (*ours, "--log-level", "warning", "--fd", "{fd}"),
        "upstream": (*upstream, "--log-level", "warning", "--fd", "{fd}"),
        "bare": (python, f"{_HERE}/bare_echo.py", "{fd}"),
    }
    spec = ServerSpec(environ={"MAX_CONCURRENT_ENVS": str(_CAPACITY)})
    with ExitStack() as stack:
        endpoints = {}
        for name, command in commands.items():
            provider = stack.enter_context(ProcessProvider(command=command))
            endpoints[name] = provider.start(spec)
        yield EchoServers(**endpoints)
