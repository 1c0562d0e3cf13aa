"""The OpenSpiel environment: any game of DeepMind's OpenSpiel, one seat of it for the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openenv_gym.lazy_names import lazy_names
from openspiel_env.models import OpenSpielAction, OpenSpielObservation, OpenSpielState

if TYPE_CHECKING:
    from openspiel_env.client import OpenSpielEnv

__all__ = ["OpenSpielAction", "OpenSpielEnv", "OpenSpielObservation", "OpenSpielState"]

__getattr__, __dir__ = lazy_names(__name__, {"OpenSpielEnv": "openspiel_env.client"})
