"""The REPL environment: an IPython kernel a session, in a sandbox, for long contexts and final answers."""

from repl_env.client import REPLEnv
from repl_env.models import CodeBlockResult, REPLAction, REPLObservation, REPLState

__all__ = ["CodeBlockResult", "REPLAction", "REPLEnv", "REPLObservation", "REPLState"]
