"""Every environment's image stands on a Debian with all that they run, and takes its packages from wheels."""

from __future__ import annotations

import pytest

from tests.docker.ingredients import FULL, Ingredients


@pytest.fixture(scope="session")
def ingredients() -> Ingredients:
    """What the images are made of."""
    return FULL
