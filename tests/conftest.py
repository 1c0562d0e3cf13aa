"""Fixtures that every part's tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.servers import LiveServer


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
