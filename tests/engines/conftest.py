"""Servers of gymnasium's environments, shared by a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.comparison import Servers


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """``servers["CartPole-v1"]`` is the URL where it is served."""
    started = Servers()
    yield started
    started.stop()
