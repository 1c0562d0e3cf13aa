"""Where further servers listen: beside the first, and on nobody else's port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.server.listeners import listen, listen_beside


@pytest.fixture
def keep() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_free_ports_of_the_same_address(keep):
    first = keep.enter_context(listen("127.0.0.1", 0))
    others = [keep.enter_context(one) for one in listen_beside(first, 3, next_ports=False)]
    assert {one.getsockname()[0] for one in others} == {"127.0.0.1"}
    assert len({port(one) for one in (first, *others)}) == 4


def test_the_next_ports_without_those_that_are_taken(keep, caplog):
    taken = keep.enter_context(listen("127.0.0.1", 0))
    first = keep.enter_context(listen("127.0.0.1", 0))
    others = [keep.enter_context(one) for one in listen_beside(first, 2, next_ports=True)]
    ports = [port(first), *(port(one) for one in others)]
    assert ports == sorted(ports)
    assert port(taken) not in ports
    again = [keep.enter_context(one) for one in listen_beside(first, 2, next_ports=True)]
    assert port(again[0]) > ports[-1]
    assert f"port {ports[1]} is taken" in caplog.text


def test_only_tcp_has_ports(tmp_path, keep):
    local = keep.enter_context(socket.socket(socket.AF_UNIX))
    local.bind(str(tmp_path / "socket"))
    with pytest.raises(UsageError, match="TCP"):
        listen_beside(local, 1, next_ports=False)
