"""The Snake environment: eat fruit, grow, and hit neither a wall nor yourself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openenv_gym.lazy_names import lazy_names
from snake_env.models import SnakeAction, SnakeObservation

if TYPE_CHECKING:
    from snake_env.client import SnakeEnv

__all__ = ["SnakeAction", "SnakeEnv", "SnakeObservation"]

__getattr__, __dir__ = lazy_names(__name__, {"SnakeEnv": "snake_env.client"})
