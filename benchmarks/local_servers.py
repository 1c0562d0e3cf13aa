"""Servers that benchmarks measure, each in a process of its own on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from openenv_gym.providers.endpoint import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider

Command = tuple[str, ...]

_HERE = str(Path(__file__).parent)
_READY_TIMEOUT = 120.0  # seconds; importing OpenEnv alone takes several


def ours(app: str) -> Command:
    """Serve an app of ours as users do.

    Args:
        app: ``module:attribute``; modules of this folder are found.
    """
    python = (sys.executable, "-m", "openenv_gym.server.serve")
    return (*python, app, "--log-level", "warning", "--fd", "{fd}")


def on_uvicorn(app: str) -> Command:
    """Serve an app by uvicorn with its defaults, as OpenEnv serves its own."""
    python = (sys.executable, "-m", "uvicorn", "--app-dir", _HERE)
    return (*python, app, "--log-level", "warning", "--fd", "{fd}")


def script(name: str, *arguments: str) -> Command:
    """Run a script of this folder, which takes the number of its listening socket and then the arguments."""
    return (sys.executable, f"{_HERE}/{name}", "{fd}", *arguments)


@contextmanager
def running(commands: Mapping[str, Command], capacity: int = 4096) -> Iterator[dict[str, Endpoint]]:
    """Run servers, and yield where they listen under the names they were given.

    Args:
        commands: How to start each.
        capacity: Sessions that each of ours may have.
    """
    spec = ServerSpec(environ={"MAX_CONCURRENT_ENVS": str(capacity), "PYTHONPATH": _python_path()})
    with ExitStack() as stack:
        endpoints = {}
        for name, command in commands.items():
            provider = stack.enter_context(ProcessProvider(command=command, ready_timeout=_READY_TIMEOUT))
            endpoints[name] = provider.start(spec)
        yield endpoints


def _python_path() -> str:
    return os.pathsep.join(filter(None, (_HERE, os.environ.get("PYTHONPATH"))))
