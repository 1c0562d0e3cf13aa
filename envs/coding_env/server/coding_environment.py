"""CodingEnvironment: Python code, step by step, in an interpreter that lasts an episode."""

from __future__ import annotations

import random
import signal
import time
import uuid
from pathlib import Path
from typing import Any, ClassVar

from coding_env.models import CodeAction, CodeObservation, CodeState
from coding_env.server.interpreter import Outcome, Patience
from coding_env.server.settings import CodingLimits, ExecutorName
from coding_env.server.shared_state import SharedState
from coding_env.server.workbench import Workbench
from openenv_gym.errors import InvalidActionError, NotResetError
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server.environment import Environment

VERSION = "0.1.0"
# Of a step's deadline, what is left is for killing, and for the reply.
_SHARE_OF_DEADLINE = 0.8
_LEAST_SECONDS = 0.1


class CodingEnvironment(Environment[CodeAction, CodeObservation, CodeState]):
    """Runs Python code in a sandboxed interpreter that keeps its state within an episode.

    Args:
        shared: What the sessions of one server share. Without it the environment makes its own, and closes
            it with itself.
    """

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = True
    EXECUTION: ClassVar[Any] = "thread"
    MAX_SESSIONS: ClassVar[int | None] = 64

    def __init__(self, shared: SharedState | None = None) -> None:
        super().__init__()
        self._owns_shared = shared is None
        self._shared = shared or SharedState()
        self._bench: Workbench | None = None
        self._executor: ExecutorName = self._shared.settings.executor
        self._step_seconds = self._shared.settings.limits.step_seconds
        # Goes on where a reset brings no seed, so that a seeded run is reproducible as a whole.
        self._rng = random.Random()
        self._seed = 0
        self._interpreters = 0
        self._state = CodeState()
        self._is_reset = False

    # --- episodes

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        executor: ExecutorName | None = None,
        step_seconds: float | None = None,
    ) -> CodeObservation:
        """Start an episode in a fresh interpreter, in a fresh sandbox.

        Args:
            seed: Seeds `random`, and NumPy's global generator.
            episode_id: Kept in the state; by default a random one.
            executor: "python" or "smolagents"; by default the server's.
            step_seconds: Wall-clock time of one step, at most the server's.

        Raises:
            InvalidActionError: There is no such executor, or the time is no positive number.
            SandboxError: Nothing can confine code on this machine.
            MissingExtraError: The executor is not installed here.
        """
        settings = self._shared.settings
        if executor not in (None, "python", "smolagents"):
            raise InvalidActionError(f"executor must be 'python' or 'smolagents', not {executor!r}")
        if step_seconds is not None and not step_seconds > 0:
            raise InvalidActionError(f"step_seconds must be above 0, not {step_seconds}")
        if seed is not None:
            self._rng.seed(seed)
        self._seed = self._rng.getrandbits(32) if seed is None else seed
        self._executor = executor or settings.executor
        self._step_seconds = min(step_seconds or settings.limits.step_seconds, settings.limits.step_seconds)
        self._reset_rubric()
        self._leave()
        self._interpreters = 0
        self._take_bench()
        self._state = CodeState(episode_id=episode_id or str(uuid.uuid4()))
        self._is_reset = True
        observation = CodeObservation(reward=0.0 if settings.score else None, metadata=self._facts())
        return self._apply_transform(observation)

    def step(  # type: ignore[override]
        self, action: CodeAction, timeout_s: float | None = None
    ) -> CodeObservation:
        """Run code. However it ends, the next step works: in the same interpreter, or else in a fresh one.

        Raises:
            NotResetError: ``reset`` has not been called.
            SandboxError: A fresh interpreter was needed, and could not be started.
        """
        if not self._is_reset:
            raise NotResetError("call reset() before step()")
        started = time.monotonic()
        bench = self._bench or self._take_bench()
        limits = self._shared.settings.limits
        score = self._shared.judge.score(action.code) if self._shared.settings.score else None
        self._state.step_count += 1
        if timeout_s is not None:
            timeout_s = max(_LEAST_SECONDS, timeout_s - (time.monotonic() - started))
        patience = self._patience(limits, timeout_s)
        outcome = bench.run(self._state.step_count, action.code, patience)
        self._state.last_exit_code = outcome.exit_code
        metadata = {
            "last_code": action.code,
            **self._facts(),
            "state_lost": not outcome.alive,
            "stopped_by": outcome.stopped_by,
            "truncated_output": outcome.stdout.truncated or outcome.stderr.truncated,
        }
        if score is not None and score.violation:
            metadata["safety_violation"] = score.violation
        observation = CodeObservation(
            stdout=bench.shown(outcome.stdout.text()),
            stderr=bench.shown(_with_note(outcome, patience)),
            exit_code=outcome.exit_code,
            reward=None if score is None else score.reward,
            metadata=metadata,
        )
        if not outcome.alive:
            self._leave()
        if self.rubric is not None:
            observation.reward = self._apply_rubric(action, observation)
        return self._apply_transform(observation)

    # --- bookkeeping

    @property
    def state(self) -> CodeState:
        """The episode's bookkeeping."""
        return self._state

    def close(self) -> None:
        """End the interpreter and remove its files."""
        self._is_reset = False
        bench, self._bench = self._bench, None
        try:
            if bench is not None:
                bench.close()
        finally:
            if self._owns_shared:
                self._shared.close()

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="coding_env",
            description="Runs Python code in a sandboxed interpreter that keeps its state within an episode",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    # --- the interpreter

    def _take_bench(self) -> Workbench:
        bench = self._shared.pool.take(self._executor)
        try:
            bench.seed(self._seed)
        except BaseException:
            bench.close()
            raise
        self._bench = bench
        self._interpreters += 1
        return bench

    def _leave(self) -> None:
        if self._bench is not None:
            self._shared.pool.discard(self._bench)
            self._bench = None

    def _facts(self) -> dict[str, Any]:
        assert self._bench is not None
        return {
            "executor": self._executor,
            "sandbox": self._bench.mechanism,
            "interpreter": self._interpreters,
        }

    def _patience(self, limits: CodingLimits, timeout_s: float | None) -> Patience:
        seconds, grace = self._step_seconds, limits.grace_seconds
        if timeout_s is not None:
            available = _SHARE_OF_DEADLINE * timeout_s
            grace = min(grace, available / 4)
            seconds = min(seconds, available - grace)
        return Patience(seconds, grace, limits.output_bytes, limits.printed_bytes)


def _with_note(outcome: Outcome, patience: Patience) -> str:
    """Standard error, and at its end why the code or its interpreter was stopped."""
    text = outcome.stderr.text()
    note = _why(outcome, patience)
    if not note:
        return text
    separator = "" if not text or text.endswith("\n") else "\n"
    if outcome.alive:
        return f"{text}{separator}[{note}; variables are kept]\n"
    return f"{text}{separator}[{note}; variables and files are lost, the next step has a fresh interpreter]\n"


def _why(outcome: Outcome, patience: Patience) -> str:
    if not outcome.ran:
        return "not run: the interpreter has ended since the last step"
    reasons = {
        None: "",
        "step_seconds": f"stopped: it ran longer than {patience.seconds:g} s",
        "printed_bytes": f"stopped: it printed more than {patience.printed_bytes} bytes",
        "wall_seconds": "stopped: the interpreter is too old",
        "memory_bytes": "stopped: its processes hold more memory than they may",
        "disk_bytes": "stopped: its files are larger than they may be",
    }
    if outcome.stopped_by or outcome.alive:
        return reasons[outcome.stopped_by]
    if outcome.exit_code < 0:
        number = -outcome.exit_code
        name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
        return f"the interpreter was killed by {name} ({signal.strsignal(number)})"
    return f"the interpreter ended with exit code {outcome.exit_code}"
