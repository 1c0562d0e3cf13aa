"""The Connect4 environment: four in a row, by self-play or against an opponent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connect4_env.models import Connect4Action, Connect4Observation, Connect4State
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from connect4_env.client import Connect4Env

__all__ = ["Connect4Action", "Connect4Env", "Connect4Observation", "Connect4State"]

__getattr__, __dir__ = lazy_names(__name__, {"Connect4Env": "connect4_env.client"})
