"""The BrowserGym environment: web tasks in a real browser."""

from browsergym_env.client import BrowserGymEnv
from browsergym_env.models import BrowserGymAction, BrowserGymObservation, BrowserGymState

__all__ = ["BrowserGymAction", "BrowserGymEnv", "BrowserGymObservation", "BrowserGymState"]
