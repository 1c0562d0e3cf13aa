"""GitTasksEnvironment: a task of git in a repository of its own, graded by what the repository becomes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from git_env.models import GitObservation
from git_env.server import workspace_operations
from git_env.server.episode_clock import EpisodeClock
from git_env.server.gitea import GitHostError
from git_env.server.policy.refusal import Refusal
from git_env.server.policy.workspace_paths import WORKSPACE
from git_env.server.session_workspace import SessionWorkspace
from git_env.server.trusted_git import TrustedGitError
from git_env.server.workspace_environment import WorkspaceEnvironment
from git_tasks_env.models import Difficulty, GitTaskAction, GitTaskObservation, GitTaskState, Kind
from git_tasks_env.server import task_catalog
from git_tasks_env.server.grading.grade import Grade, grade
from git_tasks_env.server.grading.session_end import end_state
from git_tasks_env.server.kinds.actions import DIRECTORY
from git_tasks_env.server.task import Task, TaskSpec
from git_tasks_env.server.task_source import TaskSource
from openenv_gym.errors import EnvironmentFailedError, InvalidActionError, NotResetError
from openenv_gym.models import EnvironmentMetadata

VERSION = "0.1.0"
DEFAULT_MAX_STEPS = 50
_HOME = Path(DIRECTORY).name


@dataclass(frozen=True)
class _Episode:
    """What does not change in an episode."""

    spec: TaskSpec
    task: Task
    clock: EpisodeClock
    max_steps: int


class GitTasksEnvironment(WorkspaceEnvironment[GitTaskAction, GitTaskObservation, GitTaskState, _Episode]):
    """Verifiable git tasks, made from any repository.

    Args:
        source: What the sessions of one server share. Without it the environment makes its own, and closes
            it with itself.
    """

    def __init__(self, source: TaskSource | None = None) -> None:
        self._source = source or TaskSource()
        super().__init__(self._source.shared, GitTaskState(workspace_path=WORKSPACE))
        if source is None:
            self._owned.callback(self._source.close)

    # --- episodes

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
        kind: Kind | None = None,
        difficulty: Difficulty | None = None,
        repository: str | None = None,
        max_steps: int = DEFAULT_MAX_STEPS,
    ) -> GitTaskObservation:
        """Start an episode: a task, in a repository made for it.

        Args:
            seed: Draws what the other arguments leave open, and fixes the dates of the agent's commits.
            episode_id: Kept in the state; by default a random one.
            split: "train" (the default), "validation" or "test".
            index: A task by its place in the split.
            kind: A task of this kind.
            difficulty: A task as hard as this.
            repository: A repository of the git host, by name; by default the task's own choice.
            max_steps: Steps after which the repository is graded as it is.

        Raises:
            InvalidActionError: There is no such task; the message says what there is.
            EnvironmentFailedError: The repository cannot be had.
            SandboxError: Nothing can confine commands on this machine.
        """
        if seed is not None:
            self._rng.seed(seed)
        if max_steps < 1:
            raise InvalidActionError(f"max_steps must be at least 1, not {max_steps}")
        spec = task_catalog.draw_spec(
            self._rng, split=split, index=index, kind=kind, difficulty=difficulty, repository=repository
        )
        clock = EpisodeClock(self._rng.getrandbits(32))
        self._reset_rubric()
        try:
            spec = self._source.resolve(spec)
            task = self._source.task(spec)
            workspace = self._usable_workspace()
            workspace.clear()
            self._source.place(task, workspace)
        except (Refusal, GitHostError, TrustedGitError) as error:
            raise EnvironmentFailedError(f"task {spec.task_id} cannot be set up: {error}") from None
        self._episode = _Episode(spec, task, clock, max_steps)
        self._state = GitTaskState(
            episode_id=episode_id or str(uuid.uuid4()),
            task_id=spec.task_id,
            kind=spec.kind,
            difficulty=spec.difficulty,
            repository=spec.repository or "",
            workspace_path=WORKSPACE,
        )
        observation = self._shown(
            GitObservation(success=True, message=f"Ready: task {spec.task_id}, the repository is {DIRECTORY}")
        )
        observation.metadata = task_catalog.describe(spec) | {"repository": spec.repository}
        return self._apply_transform(observation)

    def step(  # type: ignore[override]
        self, action: GitTaskAction, timeout_s: float | None = None
    ) -> GitTaskObservation:
        """Carry out one operation. What fails or is refused comes back as ``success=False``.

        Raises:
            NotResetError: ``reset`` has not been called, or the episode has ended.
        """
        if self._workspace is None or self._episode is None:
            raise NotResetError("call reset() before step()")
        if self._state.score is not None:
            raise NotResetError("the episode has ended; call reset()")
        self._state.step_count += 1
        # What is left of the deadline is for the grading and the reply.
        self._workspace.set_deadline(None if timeout_s is None else 0.7 * timeout_s)
        submitted = action.action_type == "submit"
        observation = self._shown(
            GitObservation(success=True) if submitted else self._operate(self._workspace, action)
        )
        observation.reward = 0.0
        if submitted or not observation.steps_left:
            self._workspace.set_deadline(None if timeout_s is None else 0.2 * timeout_s)
            self._finish(observation, self._grade(self._workspace, self._episode), truncated=not submitted)
        if self.rubric is not None:
            observation.reward = self._apply_rubric(action, observation)
        return self._apply_transform(observation)

    def _operate(self, workspace: SessionWorkspace, action: GitTaskAction) -> GitObservation:
        try:
            match action.action_type:
                case "read_file":
                    return workspace_operations.read_file(workspace, action.in_git())
                case "write_file":
                    return workspace_operations.write_file(workspace, action.in_git())
                case "run_script":
                    return self._run_script(workspace)
            return workspace_operations.execute(
                self._shared, workspace, action.in_git(), home=_HOME, clock=lambda mirror: self._now()
            )
        except (Refusal, TrustedGitError, GitHostError) as error:
            return workspace_operations.failed(f"{action.action_type} failed", str(error))

    def _run_script(self, workspace: SessionWorkspace) -> GitObservation:
        assert self._episode is not None
        script = self._episode.task.script
        if script is None:
            raise Refusal("this task has no script to run")
        workspace.require_space()
        done = workspace.run_program(workspace.checkouts.locate(_HOME), ["sh", "--", script])
        return workspace_operations.shown(script, done)

    def _now(self) -> int:
        assert self._episode is not None
        return self._episode.clock.at(self._state.step_count, self._episode.task.newest)

    def _shown(self, observation: GitObservation) -> GitTaskObservation:
        """An observation of the Git environment, with what is special to a task."""
        assert self._episode is not None
        return GitTaskObservation(
            success=observation.success,
            message=observation.message,
            output=observation.output,
            error=observation.error,
            instruction=self._episode.task.instruction,
            steps_left=max(0, self._episode.max_steps - self._state.step_count),
        )

    # --- the end

    def _grade(self, workspace: SessionWorkspace, episode: _Episode) -> Grade:
        try:
            with end_state(workspace, workspace.checkouts.locate(_HOME), self._now()) as end:
                return grade(episode.task, end, self._source.objects(episode.spec))
        except Refusal as refusal:
            return Grade(0.0, {}, str(refusal))

    def _finish(self, observation: GitTaskObservation, result: Grade, *, truncated: bool) -> None:
        self._state.score = result.score
        observation.done, observation.truncated = True, truncated
        observation.reward = result.score
        reason = "no steps left" if truncated else "submitted"
        graded = f"Graded ({reason}): {result.score:g}"
        observation.message = f"{observation.message}; {graded}" if observation.message else graded
        if result.problem:
            observation.error = result.problem
        observation.metadata = {
            "task_id": self._state.task_id,
            "score": result.score,
            "components": result.components,
        }

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="git_tasks_env",
            description="Verifiable git tasks, made from any repository and graded by its end state",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    # --- tasks

    def list_splits(self) -> list[str]:
        """The splits: train, validation and test."""
        return list(task_catalog.SIZES)

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """The tasks of a split, at most a thousand."""
        return task_catalog.describe_range(split)

    def num_tasks(self, split: str) -> int:
        """How many tasks a split has."""
        return task_catalog.split_size(split)

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """One task by place; raises ``IndexError`` when there is no such place."""
        return task_catalog.describe(task_catalog.spec_at(split, index))

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        """Tasks by place, with the bounds of a slice; at most a thousand."""
        return task_catalog.describe_range(split, start, stop)
