"""The Atari environment: the games of the Arcade Learning Environment, as pixels or as memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atari_env.models import AtariAction, AtariObservation, AtariState
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from atari_env.client import AtariEnv

__all__ = ["AtariAction", "AtariEnv", "AtariObservation", "AtariState"]

__getattr__, __dir__ = lazy_names(__name__, {"AtariEnv": "atari_env.client"})
