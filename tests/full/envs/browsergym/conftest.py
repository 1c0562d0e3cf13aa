"""One browser for all tests of a module: to start one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browsergym_env.server.browsergym_environment import BrowserGymEnvironment
from browsergym_env.server.settings import BrowserGymSettings


@pytest.fixture(scope="module")  # not longer: Playwright bears one in a process
def environment() -> Iterator[BrowserGymEnvironment]:
    """An environment that takes screenshots."""
    environment = BrowserGymEnvironment(BrowserGymSettings(include_screenshot=True))
    yield environment
    environment.close()
