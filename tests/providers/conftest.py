"""Servers and owners to run, and a look at which processes are left."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.providers import Endpoint
from openenv_gym.providers.process import ProcessProvider

HERE = Path(__file__).parent


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process of that id exists and is not just waiting to be reaped."""
    return is_alive


@pytest.fixture
def wait_until_gone() -> Callable[[Sequence[int]], None]:
    """Returns when none of these processes lives; the test's own time limit is the bound."""

    def wait(pids: Sequence[int]) -> None:
        while any(is_alive(pid) for pid in pids):
            time.sleep(0.02)

    return wait


@pytest.fixture
def ask() -> Callable[..., dict[str, Any]]:
    """Asks a tiny server about itself."""

    def facts(endpoint: Endpoint, token: str | None = None) -> dict[str, Any]:
        request = urllib.request.Request(endpoint.base_url + "/facts")
        request.add_header("Authorization", f"Bearer {token or endpoint.token}")
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    return facts


@pytest.fixture
def provide() -> Iterator[Callable[..., ProcessProvider]]:
    """Makes providers of tiny servers, and stops them at the end."""
    made: list[ProcessProvider] = []

    def make(*modes: str, listen: str = "{fd}", **options: Any) -> ProcessProvider:
        command = [sys.executable, "-S", str(HERE / "tiny_server.py"), listen, *modes]
        made.append(ProcessProvider(command=command, **options))
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def own(own: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """Runs one of the scripts here that own servers: ``own("owner.py", "killed")``."""
    return lambda script, *arguments: own(str(HERE / script), *arguments)
