"""The contract of providers finds what it is for: providers that break one promise each."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.client.schemas import fetch_health
from openenv_gym.errors import StartupError
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.process import ProcessProvider
from openenv_gym.testing import Attempt, ProviderContract, check_provider

ROOT = Path(__file__).parents[2]
SPEC = ServerSpec(app="echo_env.server.app:app")


class Honest(ProcessProvider):
    """Copies keep their class, as a provider's own do."""

    def __init__(self, *, ready_timeout: float = 100.0) -> None:
        super().__init__(ready_timeout=ready_timeout)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class Talkative(Honest):
    def __repr__(self) -> str:
        return f"Talkative({self._token})"


class Forgetful(Honest):
    def logs(self) -> str:
        return "" if self._stopped else super().logs()


class Restartable(Honest):
    def stop(self) -> None:
        super().stop()
        self._started = self._stopped = False


class Careless(Honest):
    """Leaves what did not come up."""

    left: list[ProcessProvider] = []  # noqa: RUF012

    def start(self, spec: ServerSpec) -> Endpoint:
        self.left.append(ProcessProvider())
        self.left[-1].start(replace(spec, app=SPEC.app))
        return super().start(spec)


class Mumbling(Honest):
    def start(self, spec: ServerSpec) -> Endpoint:
        try:
            return super().start(spec)
        except StartupError:
            raise StartupError("it did not work") from None


class Shared(Honest):
    """A copy is the same provider."""

    def __copy__(self) -> Shared:
        return self


class Hoarding(Honest):
    kept: list[socket.socket] = []  # noqa: RUF012

    def start(self, spec: ServerSpec) -> Endpoint:
        self.kept.append(socket.socket())
        return super().start(spec)


@pytest.fixture(autouse=True)
def tidied() -> Iterator[None]:
    """What the careless left is ended."""
    yield
    while Careless.left:
        Careless.left.pop().stop()
    while Hoarding.kept:
        Hoarding.kept.pop().close()


class Tiny(ProcessProvider):
    """Starts in a moment, so that all promises can be checked in one test."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", str(ROOT / "tests/providers/tiny_server.py"), "{fd}", "leaks"]
        super().__init__(command=command)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class Unstoppable(Tiny):
    """Stops only what is up."""

    _up = False

    def start(self, spec: ServerSpec) -> Endpoint:
        endpoint = super().start(spec)
        self._up = True
        return endpoint

    def stop(self) -> None:
        if self._up:
            super().stop()


def contract_of(kind: type[Honest]) -> ProviderContract:
    class Contract(ProviderContract):
        spec = SPEC
        patience = 100.0 if kind is not Hoarding else 1.0

        def make_provider(self) -> ProcessProvider:
            return kind()

        def cannot_start(self) -> Attempt:
            return Attempt(kind(), ServerSpec(app="no_such_module:app"), "no_such_module")

        def dies_at_once(self) -> Attempt:
            spec = ServerSpec(app="openenv_gym.testing.unsound_apps:exits")
            return Attempt(kind(), spec, "ends before it serves")

        def never_ready(self, timeout: float) -> Attempt:
            spec = ServerSpec(app="openenv_gym.testing.unsound_apps:hangs")
            return Attempt(kind(ready_timeout=timeout), spec, "not ready")

    return Contract()


@pytest.mark.parametrize(
    ("kind", "test", "complaint"),
    [
        (Talkative, "a_server_starts_serves_and_stops", "the token is shown"),
        (Forgetful, "a_server_starts_serves_and_stops", "the log is gone"),
        (Restartable, "stop_before_start_keeps_a_late_start_from_leaving_a_server", "raised nothing"),
        (Careless, "what_cannot_be_started_is_reported", "left behind"),
        (Mumbling, "what_dies_at_once_is_reported_with_the_end_of_its_log", "not in the message"),
        (Shared, "copies_are_new_providers", "was stopped"),
        (Hoarding, "nothing_is_held_in_this_process", "descriptors"),
    ],
)
def test_each_broken_promise_is_found(kind: type[Honest], test: str, complaint: str) -> None:
    with pytest.raises(Exception, match=complaint):
        getattr(contract_of(kind), f"test_{test}")()


def test_the_promises_in_one_call_name_all_that_are_broken() -> None:
    with pytest.raises(ExceptionGroup, match=r"Unstoppable breaks [12] of \d+ promises") as caught:
        check_provider(Unstoppable, ServerSpec(), use=fetch_health)
    notes = {note for error in caught.value.exceptions for note in error.__notes__}
    certain = "in test_stop_before_start_keeps_a_late_start_from_leaving_a_server"
    assert certain in notes
    assert notes <= {certain, "in test_stop_ends_a_start_at_any_moment"}


def test_without_a_way_to_fail_the_rest_is_checked() -> None:
    passed = check_provider(Tiny, ServerSpec(), use=fetch_health)
    assert "test_copies_are_new_providers" in passed
    assert not [name for name in passed if "dies" in name or "never" in name or "cannot" in name]


def test_pytest_is_not_needed() -> None:
    code = "import sys; from openenv_gym.testing import check_provider; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
