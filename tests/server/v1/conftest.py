"""A server that the tests of one file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from openenv_gym.server import create_app
from tests.server.sample_environments import Heard, InlineParrot, Say
from tests.server.talk import wait_until_empty
from tests.servers import LiveServer


@pytest.fixture(scope="session")
def parrot_server() -> Iterator[LiveServer]:
    server = LiveServer(create_app(InlineParrot, Say, Heard)).start()
    yield server
    server.stop()


@pytest.fixture
def parrot(parrot_server: LiveServer) -> Iterator[LiveServer]:
    """Serves inline parrots, eight at most; a test that used it has closed its sessions."""
    yield parrot_server
    wait_until_empty(parrot_server)
