"""The BrowserGym environment: web tasks in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browsergym_env.models import BrowserGymAction, BrowserGymObservation, BrowserGymState
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from browsergym_env.client import BrowserGymEnv

__all__ = ["BrowserGymAction", "BrowserGymEnv", "BrowserGymObservation", "BrowserGymState"]

__getattr__, __dir__ = lazy_names(__name__, {"BrowserGymEnv": "browsergym_env.client"})
