"""What sessions share is prepared beside them, outlives them, and ends with the server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

import pytest

from openenv_gym import GenericEnvClient
from openenv_gym.errors import ProviderError
from openenv_gym.server import create_app
from openenv_gym.server.shared_state import served
from tests.server.sample_environments import Heard, Parrot, Say
from tests.servers import LiveServer

PATIENCE = 30.0


class Nest:
    """Shared by parrots; keeps a record, and goes on preparing until it is closed."""

    def __init__(self, failure: Exception | None = None, *, fails_at_once: bool = False) -> None:
        self.record: list[str] = []
        self._begun = threading.Event()
        self._failure = failure
        self._closed = threading.Event()
        if fails_at_once:
            self._closed.set()

    def open(self) -> None:
        self.record.append("opened")

    def prepare(self) -> None:
        self._thread = threading.current_thread()
        self._begun.set()
        assert self._closed.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self.record.append("nest")
        self._closed.set()

    @property
    def preparing(self) -> threading.Thread:
        assert self._begun.wait(PATIENCE)
        return self._thread


class NestedParrot(Parrot):
    def __init__(self, nest: Nest) -> None:
        super().__init__()
        self._nest = nest

    def close(self) -> None:
        self._nest.record.append("parrot")


def test_sessions_run_while_it_is_prepared_and_end_before_it_does(
    live_server: Callable[..., LiveServer],
) -> None:
    nest = Nest()
    server = live_server(create_app(partial(NestedParrot, nest), Say, Heard, shared=nest))
    client = GenericEnvClient(base_url=server.base_url).sync()
    assert client.reset().observation["echo"] == "hello"
    assert nest.preparing.is_alive()
    assert nest.record == ["opened"]
    server.stop()  # the session is open still
    assert nest.record == ["opened", "parrot", "nest"]
    assert not nest.preparing.is_alive()
    client.close()


@pytest.mark.parametrize(
    ("failure", "level"),
    [(ProviderError("no twigs"), logging.WARNING), (ValueError("no twigs"), logging.ERROR)],
    ids=["expected", "unexpected"],
)
async def test_a_server_whose_preparation_fails_says_so_and_runs_on(
    failure: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    nest = Nest(failure, fails_at_once=True)
    async with served(nest, "parrot"):
        nest.preparing.join(PATIENCE)
    [told] = caplog.records
    assert told.levelno == level
    assert "parrot" in told.getMessage() and "no twigs" in caplog.text
    assert nest.record == ["opened", "nest"]


async def test_what_the_end_itself_interrupts_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    nest = Nest(ProviderError("closed"))
    async with served(nest, "parrot"):
        pass
    assert caplog.records == []
    assert not nest.preparing.is_alive()


async def test_it_is_closed_when_the_server_fails() -> None:
    nest = Nest()
    with pytest.raises(RuntimeError, match="lightning"):
        async with served(nest, "parrot"):
            raise RuntimeError("lightning")
    assert nest.record == ["opened", "nest"]
