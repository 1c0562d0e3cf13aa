"""The Echo environment: it says back what it is told, and rewards length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echo_env.models import EchoAction, EchoObservation
from openenv_gym.lazy_names import lazy_names

if TYPE_CHECKING:
    from echo_env.client import EchoEnv

__all__ = ["EchoAction", "EchoEnv", "EchoObservation"]

__getattr__, __dir__ = lazy_names(__name__, {"EchoEnv": "echo_env.client"})
