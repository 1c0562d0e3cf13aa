"""The Snake environment: eat fruit, grow, and hit neither a wall nor yourself."""

from snake_env.client import SnakeEnv
from snake_env.models import SnakeAction, SnakeObservation

__all__ = ["SnakeAction", "SnakeEnv", "SnakeObservation"]
