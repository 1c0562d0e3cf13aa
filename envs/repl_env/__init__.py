"""The REPL environment: an IPython kernel a session, in a sandbox, for long contexts and final answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openenv_gym.lazy_names import lazy_names
from repl_env.models import CodeBlockResult, REPLAction, REPLObservation, REPLState

if TYPE_CHECKING:
    from repl_env.client import REPLEnv

__all__ = ["CodeBlockResult", "REPLAction", "REPLEnv", "REPLObservation", "REPLState"]

__getattr__, __dir__ = lazy_names(__name__, {"REPLEnv": "repl_env.client"})
