"""The corridor, served once for all tests of the adapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import LiveServer


@pytest.fixture(scope="session")
def corridor() -> Iterator[LiveServer]:
    """A server of the corridor environment."""
    from tests.adapters.corridor import app

    server = LiveServer(app).start()
    yield server
    server.stop()
