"""Hypothesis without its per-example deadline: a shared machine may pause any test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
