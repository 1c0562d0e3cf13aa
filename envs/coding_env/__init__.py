"""The Coding environment: Python code runs in an interpreter that lasts an episode, in a sandbox."""

from coding_env.client import CodingEnv
from coding_env.models import CodeAction, CodeObservation, CodeState

__all__ = ["CodeAction", "CodeObservation", "CodeState", "CodingEnv"]
