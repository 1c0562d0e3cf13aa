"""Providers that were written for OpenEnv."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from openenv_gym.errors import ClosedError, NotSupportedError, ProviderError, StartupError, UsageError
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.openenv_provider import OpenEnvProvider, as_provider
from openenv_gym.providers.process import ProcessProvider
from tests.client.patience import wait_until
from tests.providers.lent_container import LentContainer

URL = "http://127.0.0.1:9"
SPEC = ServerSpec(image="echo-env:latest", environ={"A": "1"})


def test_it_starts_and_stops_once() -> None:
    lent = LentContainer(URL)
    with OpenEnvProvider(lent, ready_timeout=4.0, options={"tag": "x"}) as provider:
        assert provider.start(SPEC) == Endpoint(URL)
        with pytest.raises(UsageError, match="one provider a server"):
            provider.start(SPEC)
        provider.stop()
    assert provider.logs() == ""
    assert lent.calls == [
        ("start", "echo-env:latest", {"A": "1"}, {"tag": "x"}),
        ("wait", URL, 4.0),
        ("stop",),
    ]
    with pytest.raises(ClosedError):
        provider.start(SPEC)


@pytest.mark.parametrize(
    ("fails", "order"), [("start", ["start", "stop"]), ("wait", ["start", "wait", "stop"])]
)
def test_a_start_that_fails_is_undone(fails: str, order: list[str]) -> None:
    lent = LentContainer(URL, fails)
    with pytest.raises(StartupError, match="TimeoutError: not today"):
        OpenEnvProvider(lent).start(SPEC)
    assert lent.order == order


def test_a_stop_that_fails_says_so_and_may_be_repeated() -> None:
    lent = LentContainer(URL)
    provider = OpenEnvProvider(lent)
    provider.start(SPEC)
    lent.fails = "stop"
    with pytest.raises(ProviderError, match="not today"):
        provider.stop()
    lent.fails = ""
    provider.stop()
    assert lent.order == ["start", "wait", "stop", "stop"]


def test_stopped_while_it_starts() -> None:
    lent = LentContainer(URL)
    lent.may_start.clear()
    provider = OpenEnvProvider(lent)
    ends: list[Exception] = []

    def start() -> None:
        try:
            provider.start(SPEC)
        except StartupError as error:
            ends.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    wait_until(lambda: lent.order)
    stopping = threading.Thread(target=provider.stop)
    stopping.start()
    wait_until(lambda: provider._stopped)
    lent.may_start.set()
    starting.join()
    stopping.join()
    assert lent.order.count("stop") == 1
    assert len(ends) == 1


def test_stopped_before_it_starts() -> None:
    lent = LentContainer(URL)
    provider = OpenEnvProvider(lent)
    provider.stop()
    with pytest.raises(ClosedError):
        provider.start(SPEC)
    assert lent.calls == []


def test_what_it_does_not_do() -> None:
    with pytest.raises(NotSupportedError, match="image"):
        OpenEnvProvider(LentContainer(URL)).start(ServerSpec(app="echo_env.server.app:app"))
    with pytest.raises(UsageError, match="LentContainer cannot be copied"):
        copy.copy(OpenEnvProvider(LentContainer(URL)))


def test_which_providers_are_taken() -> None:
    own = ProcessProvider()
    assert as_provider(own) is own
    assert isinstance(as_provider(LentContainer(URL)), OpenEnvProvider)
    assert isinstance(as_provider(ProcessProvider), ProcessProvider)
    assert isinstance(as_provider(lambda: LentContainer(URL)), OpenEnvProvider)
    nothing: Any = object()
    with pytest.raises(UsageError, match=r"DockerProvider\(\)"):
        as_provider(nothing)
