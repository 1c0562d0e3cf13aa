"""A dialect server on loopback, shared by the tests of clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.dialect_server import DialectServer, serving


@pytest.fixture
def server() -> DialectServer:
    return DialectServer()


@pytest.fixture
def url(server: DialectServer) -> Iterator[str]:
    with serving(server) as base_url:
        yield base_url
