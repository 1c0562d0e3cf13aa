"""The REPL environment itself: cells run in an IPython kernel until an answer is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from openenv_gym.errors import InvalidActionError
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment
from repl_env.models import CodeBlockResult, REPLAction, REPLObservation, REPLState
from repl_env.server import rewards
from repl_env.server.cell import Cell
from repl_env.server.final_answer import final_answer
from repl_env.server.kernel import Kernel, KernelGoneError
from repl_env.server.kernel_pool import shared_pool
from repl_env.server.settings import REPLSettings

VERSION = "0.1.0"
_PREVIEW = 500  # characters
_MARGIN = 8.0  # seconds before the server's deadline at which a cell is interrupted: that takes a while too


class REPLEnvironment(Environment[REPLAction, REPLObservation, REPLState]):
    """Runs cells in an IPython kernel, which lives from one reset to the next, in a sandbox.

    Args:
        settings: Limits; by default from environment variables.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"
    MAX_SESSIONS = 32  # kernels take some 80 MB each

    def __init__(self, settings: REPLSettings | None = None) -> None:
        super().__init__()
        self._settings = settings or REPLSettings.from_environ()
        self._pool = shared_pool(self._settings)
        self._pool.prepare()
        self._kernel: Kernel | None = None
        self._seed: int | None = None
        self._expected: str | None = None
        self._state = REPLState(max_iterations=self._settings.max_iterations)

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        context: str | None = None,
        task_prompt: str | None = None,
        expected_answer: str | None = None,
        max_iterations: int | None = None,
    ) -> REPLObservation:
        """Start an episode on a fresh kernel.

        Args:
            seed: Of ``random`` and numpy's global generator, inside the kernel.
            episode_id: The episode's name.
            context: The text to work with, in the variable ``context``.
            task_prompt: What to find out.
            expected_answer: What the final answer is compared with.
            max_iterations: Cells after which the episode ends.
        """
        if max_iterations is not None and max_iterations < 1:
            raise InvalidActionError("max_iterations is at least 1", "VALIDATION_ERROR")
        self._seed, self._expected = seed, expected_answer
        self._state = REPLState(
            episode_id=episode_id or str(uuid4()),
            context=context or self._settings.context,
            task_prompt=task_prompt or self._settings.task_prompt,
            max_iterations=max_iterations or self._settings.max_iterations,
        )
        self._replace_kernel()
        return self._observation(CodeBlockResult(stdout=self._greeting()), reward=0.0)

    def step(  # type: ignore[override]
        self, action: REPLAction, timeout_s: float | None = None
    ) -> REPLObservation:
        """Run a cell, or take the final answer."""
        state = self._state
        state.step_count += 1
        state.iteration += 1
        if action.is_final:
            return self._end(action.final_answer or "", CodeBlockResult(stdout="Final answer submitted."))
        if state.iteration >= state.max_iterations:
            return self._out_of_cells()
        return self._run(action.code, self._cell_timeout(action.timeout, timeout_s))

    @property
    def state(self) -> REPLState:
        """The episode's bookkeeping."""
        return self._state.model_copy()

    def close(self) -> None:
        """End the kernel."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="repl_env",
            description="An IPython kernel in a sandbox, for long contexts and final answers",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    # --- cells -----------------------------------------------------------------------------------------

    def _run(self, code: str, timeout: float) -> REPLObservation:
        state, kernel = self._state, self._living_kernel()
        try:
            cell = kernel.execute(code, timeout)
            answer = final_answer(cell, kernel.text_of)
        except KernelGoneError as error:
            return self._restarted(str(error))
        state.total_execution_time += cell.seconds
        state.namespace_keys = cell.namespace.names
        result = CodeBlockResult(
            stdout=cell.stdout,
            stderr=cell.stderr,
            locals_snapshot=cell.namespace.changed,
            execution_time=cell.seconds,
            success=cell.exception is None,
            exception=cell.exception,
        )
        if answer is not None:
            return self._end(answer, result, cell)
        told: dict[str, Any] = {"interrupted": True} if cell.interrupted else {}
        return self._observation(
            result, reward=rewards.cell(result.success), cell=cell, final_answer=None, **told
        )

    def _restarted(self, why: str) -> REPLObservation:
        """Go on with a fresh kernel, and say what that means."""
        self._replace_kernel()
        text = f"The kernel was restarted, and the variables are lost: {why}."
        result = CodeBlockResult(stderr=text, success=False, exception=f"KernelRestarted: {why}")
        return self._observation(result, reward=rewards.cell(False), kernel_restarted=True, final_answer=None)

    def _out_of_cells(self) -> REPLObservation:
        text = f"Maximum iterations ({self._state.max_iterations}) reached."
        result = CodeBlockResult(stdout=text, success=False)
        try:
            answer = self._living_kernel().execute("", self._settings.cell_timeout).namespace.content or None
        except KernelGoneError:
            answer = None  # it went with the variables
        return self._end(answer, result, truncated=answer is None)

    def _end(
        self, answer: str | None, result: CodeBlockResult, cell: Cell | None = None, truncated: bool = False
    ) -> REPLObservation:
        self._state.final_answer = answer
        observation = self._observation(
            result,
            reward=rewards.outcome(answer, self._expected),
            cell=cell,
            final_answer=answer,
            total_iterations=self._state.iteration,
        )
        observation.done, observation.truncated = True, truncated
        return observation

    def _cell_timeout(self, wanted: float | None, timeout_s: float | None) -> float:
        allowed = self._settings.cell_timeout
        if timeout_s is not None:
            allowed = min(allowed, max(timeout_s - _MARGIN, timeout_s / 2))
        return allowed if wanted is None else min(wanted, allowed)

    # --- the kernel ------------------------------------------------------------------------------------

    def _replace_kernel(self) -> None:
        self.close()
        self._kernel = self._pool.take()
        self._state.namespace_keys = self._kernel.prepare(self._state.context or None, self._seed)

    def _living_kernel(self) -> Kernel:
        if self._kernel is None:  # a replacement could not be started then; now it may
            self._replace_kernel()
        assert self._kernel is not None
        return self._kernel

    # --- observations ----------------------------------------------------------------------------------

    def _observation(
        self, result: CodeBlockResult, *, reward: float, cell: Cell | None = None, **metadata: Any
    ) -> REPLObservation:
        state = self._state
        context = state.context or ""
        assert self._kernel is not None
        return REPLObservation(
            result=result,
            outputs=[] if cell is None else cell.outputs,
            context_preview=context[:_PREVIEW] or None,
            context_length=len(context),
            available_variables=state.namespace_keys,
            iteration=state.iteration,
            max_iterations=state.max_iterations,
            reward=reward,
            metadata={"task_prompt": state.task_prompt, "sandbox": self._kernel.mechanism, **metadata},
        )

    def _greeting(self) -> str:
        state = self._state
        lines = ["REPL environment initialized."]
        if state.context:
            lines.append(
                f"Context loaded ({len(state.context)} characters): it is in the variable 'context'."
            )
        if state.task_prompt:
            lines.append(f"Task: {state.task_prompt}")
        lines.append("Call FINAL(value), or set answer['content'] and answer['ready'] = True, when done.")
        return "\n".join(lines)
