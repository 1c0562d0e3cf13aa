"""The Coding environment: Python code runs in an interpreter that lasts an episode, in a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coding_env.models import CodeAction, CodeObservation, CodeState
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from coding_env.client import CodingEnv

__all__ = ["CodeAction", "CodeObservation", "CodeState", "CodingEnv"]

__getattr__, __dir__ = lazy_names(__name__, {"CodingEnv": "coding_env.client"})
