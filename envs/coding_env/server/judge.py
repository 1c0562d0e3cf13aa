"""Rewards as OpenEnv's coding environment gives them: for how the code reads, whatever it does."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from coding_env.inside.judge import UNPARSABLE, VIOLATIONS, judge_text
from coding_env.server.interpreter import Patience
from coding_env.server.settings import CodingSettings
from coding_env.server.workbench import Workbench
from openenv_gym.errors import ClosedError

_VIOLATION, _CONCISE, _SYNTAX = -1.0, 0.1, -0.2
_CONCISE_CHARACTERS = 100
# All sessions share the judge, and parsing takes seconds for a megabyte.
_LONGEST_PARSED = 1 << 15
_PATIENCE = Patience(10.0, grace_seconds=0.0, output_bytes=0)


@dataclass(frozen=True)
class Score:
    """A step's reward, and why.

    Attributes:
        reward: -1.0 for a violation, 0.1 for at most 100 characters, -0.2 for what is no Python, added up.
        violation: What counts as unsafe ("import os", "eval", ...); "" when nothing does.
    """

    reward: float
    violation: str


class Judge:
    """Scores code for all sessions of a server, in a sandboxed process in which no code is ever run.

    No session can reach it, so none can talk it into a better reward. Code too long to be parsed in a moment
    is searched as text. Thread-safe.

    Args:
        settings: The server's.
    """

    def __init__(self, settings: CodingSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._bench: Workbench | None = None
        self._closed = False
        self._number = 0

    def open(self) -> None:
        """Begin anew after `close`."""
        with self._lock:
            self._closed = False

    def prepare(self) -> None:
        """Start the process, so that the first step need not wait for it.

        Raises:
            SandboxError: It could not be started.
            ClosedError: The judge was closed.
        """
        with self._lock:
            self._opened()

    def score(self, code: str) -> Score:
        """Score one step's code.

        Raises:
            SandboxError: The process could not be started.
            ClosedError: The judge was closed.
        """
        verdict = self._verdict(code)
        violation = VIOLATIONS[verdict & ~UNPARSABLE]
        quality = _CONCISE if len(code.strip()) <= _CONCISE_CHARACTERS else 0.0
        if verdict & UNPARSABLE:
            quality += _SYNTAX
        return Score((_VIOLATION if violation else 0.0) + quality, violation)

    def close(self) -> None:
        """End the process. Idempotent."""
        with self._lock:
            self._closed = True
            self._leave()

    def _opened(self) -> Workbench:
        if self._closed:
            raise ClosedError("the Coding environment's server is shutting down")
        if self._bench is None:
            self._bench = Workbench(self._settings, "judge")
        return self._bench

    def _verdict(self, code: str) -> int:
        if len(code) > _LONGEST_PARSED:
            return judge_text(code) & ~UNPARSABLE
        with self._lock:
            self._number = (self._number + 1) & 0xFFFFFFFF
            outcome = self._opened().run(self._number, code, _PATIENCE)
            if outcome.alive and not outcome.stopped_by:
                return outcome.exit_code
            self._leave()
        return judge_text(code)  # it has choked on this code, which is therefore as good as unparsable

    def _leave(self) -> None:
        if self._bench is not None:
            self._bench.close()
            self._bench = None
