"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from openenv_gym.client.dialects import Dialect
from openenv_gym.wire.v1.codecs import JsonCodec
from tests.servers import LiveServer

_REPOSITORY = Path(__file__).parents[1]


def pytest_configure() -> None:
    """Have programs that tests start heed SIGINT, which what a script runs in the background ignores."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def live_server() -> Iterator[Callable[..., LiveServer]]:
    """Serve apps for one test: ``server = live_server(app)``; stopped when the test ends.

    Keyword arguments go to ``uvicorn.Config``.
    """
    started: list[LiveServer] = []

    def start(app: Any, **uvicorn_options: Any) -> LiveServer:
        server = LiveServer(app, **uvicorn_options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def own() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run Python programs that own servers, each in a session of its own as a terminal would.

    ``owner = own("-m", "tests.docker.owner", ...)``: what follows ``python``; killed when the test ends.
    Keyword arguments go to ``subprocess.Popen``.
    """
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *arguments],
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(params=["openenv", "v1"])
def dialect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Dialect:
    """Each dialect in turn, to be given to clients and environments: what they promise holds in both.

    ``"v1-json"``, which `every_encoding` adds, is ``"v1"`` by the encoding that servers choose only when a
    client offers no other.
    """
    spoken: Dialect | Literal["v1-json"] = request.param
    if spoken == "v1-json":
        monkeypatch.setattr("openenv_gym.client.dialects.SUBPROTOCOLS", (JsonCodec.subprotocol,))
        return "v1"
    return spoken
