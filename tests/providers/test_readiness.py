"""What is said of a server that does not get ready."""

from __future__ import annotations

import pytest

from openenv_gym.providers import readiness
from openenv_gym.providers.endpoint import Endpoint

SICK = "GET /health was answered with 503"


class Time:
    """A clock that goes on when somebody waits, and attempts that take 0.3 s, or time out before."""

    def __init__(self, answer: str | None = SICK) -> None:
        self.now = 0.0
        self.answer = answer
        self.attempts: list[float] = []

    def probe(self, endpoint: Endpoint, timeout: float) -> str | None:
        self.attempts.append(timeout)
        self.now += min(timeout, 0.3)
        return self.answer if timeout >= 0.3 else "timed out"

    def ended(self, seconds: float) -> bool:
        self.now += seconds
        return False


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(readiness, "probe", time.probe)
    monkeypatch.setattr(readiness.time, "monotonic", lambda: time.now)
    return time


def wait(time: Time, timeout: float) -> str | None:
    return readiness.wait_until_ready(Endpoint("http://127.0.0.1:1"), timeout=timeout, ended=time.ended)


@pytest.mark.parametrize("timeout", [1.0, 1.1, 1.2, 1.3, 1.4, 3.0])
def test_an_attempt_that_the_deadline_cuts_short_hides_no_answer(time: Time, timeout: float) -> None:
    assert wait(time, timeout) == SICK
    assert time.now <= timeout + 0.01


def test_where_every_attempt_is_short_the_first_one_tells(time: Time) -> None:
    assert wait(time, 0.2) == "timed out"


def test_a_short_attempt_may_succeed(time: Time) -> None:
    time.answer = None
    assert wait(time, 0.4) is None
    assert time.attempts == [0.4]
