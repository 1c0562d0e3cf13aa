"""Marks for tests that run over the dialects; the fixture ``dialect`` alone runs a test over both."""

from __future__ import annotations

import pytest

every_encoding = pytest.mark.parametrize("dialect", ["openenv", "v1", "v1-json"], indirect=True)
"""Run a test in openenv-gym.v1's JSON too, for what depends on how values travel."""
