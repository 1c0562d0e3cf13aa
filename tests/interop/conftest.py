"""One environment written for OpenEnv, served by OpenEnv's `create_app` and by ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from openenv.core.env_server import create_app as upstream_create_app

from openenv_gym.client.dialects import Dialect
from openenv_gym.server import create_app
from tests.interop.upstream_counter import CountAction, Counter, CountObservation, CountState
from tests.servers import LiveServer

CREATORS = {"ours": create_app, "upstream": upstream_create_app}


def serve(creator: str, capacity: int = 16) -> Iterator[LiveServer]:
    app = CREATORS[creator](
        Counter,
        CountAction,
        CountObservation,
        env_name="counter",
        max_concurrent_envs=capacity,
        state_cls=CountState,
    )
    server = LiveServer(app).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def our_server() -> Iterator[LiveServer]:
    """An OpenEnv environment on our server."""
    yield from serve("ours")


@pytest.fixture(scope="session")
def upstream_server() -> Iterator[LiveServer]:
    """The same on OpenEnv's own server."""
    yield from serve("upstream")


@pytest.fixture(params=list(CREATORS))
def any_server(request: pytest.FixtureRequest) -> LiveServer:
    """Each in turn: what holds on OpenEnv's server must hold on ours."""
    server = request.getfixturevalue("our_server" if request.param == "ours" else "upstream_server")
    assert isinstance(server, LiveServer)
    return server


class Host(NamedTuple):
    """A server, and the dialect that it is to be spoken to in."""

    base_url: str
    dialect: Dialect


@pytest.fixture(params=["upstream", "ours-openenv", "ours-v1"])
def host(request: pytest.FixtureRequest) -> Host:
    """For our clients: OpenEnv's server, which has one dialect, and ours in each of its two."""
    creator, _, dialect = request.param.partition("-")
    server = request.getfixturevalue("our_server" if creator == "ours" else "upstream_server")
    return Host(server.base_url, dialect or "auto")


@pytest.fixture(params=list(CREATORS))
def small_server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """Each in turn, with two slots and no other test's sessions in them."""
    yield from serve(request.param, capacity=2)


@pytest.fixture
def upstream_tools() -> Iterator[LiveServer]:
    """A tool environment on OpenEnv's own server."""
    from tests.interop.upstream_tools import app

    server = LiveServer(app).start()
    yield server
    server.stop()
