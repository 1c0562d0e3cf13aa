"""GitEnvironment: repositories to clone, a workspace to work in, hostile commands expected."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from git_env.models import GitAction, GitObservation, GitState, RepositoryInfo
from git_env.server import workspace_operations
from git_env.server.episode_clock import EpisodeClock
from git_env.server.gitea import GitHostError
from git_env.server.policy.refusal import Refusal
from git_env.server.policy.workspace_paths import WORKSPACE
from git_env.server.session_workspace import SessionWorkspace
from git_env.server.settings import Task
from git_env.server.shared_state import SharedState
from git_env.server.task_catalog import TaskCatalog
from git_env.server.trusted_git import TrustedGitError
from git_env.server.workspace_environment import WorkspaceEnvironment
from openenv_gym.errors import EnvironmentFailedError, NotResetError
from openenv_gym.models import EnvironmentMetadata

VERSION = "0.1.0"


@dataclass(frozen=True)
class _Episode:
    """What does not change in an episode.

    Attributes:
        clock: Tells its time.
        home: The task's repository, "" without a task.
    """

    clock: EpisodeClock
    home: str = ""


class GitEnvironment(WorkspaceEnvironment[GitAction, GitObservation, GitState, _Episode]):
    """Isolated Git workspaces over a Gitea host, with task-based resets.

    Args:
        shared: What the sessions of one server share. Without it the environment makes its own, and closes
            it with itself.
    """

    def __init__(self, shared: SharedState | None = None) -> None:
        super().__init__(shared or SharedState(), GitState(workspace_path=WORKSPACE))
        if shared is None:
            self._owned.callback(self._shared.close)
        self._tasks = TaskCatalog(self._shared.settings.tasks)

    # --- episodes

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
    ) -> GitObservation:
        """Start an episode in a workspace of its own.

        Args:
            seed: Fixes the commit dates, and the task where none is named.
            episode_id: Kept in the state; by default a random one.
            task_id: A task of TASK_REPOS, whose state is then checked out.
            split: With ``index``: a task by its place.
            index: With ``split``.

        Raises:
            InvalidActionError: There is no such task; the message names those there are.
            EnvironmentFailedError: The task's repository or ref cannot be had.
            SandboxError: Nothing can confine commands on this machine.
        """
        if seed is not None:
            self._rng.seed(seed)
        task = self._tasks.choose(task_id, split, index, self._rng)
        clock = EpisodeClock(self._rng.getrandbits(32))
        self._reset_rubric()
        workspace = self._usable_workspace()
        workspace.clear()
        self._state = GitState(
            episode_id=episode_id or str(uuid.uuid4()), gitea_ready=True, workspace_path=WORKSPACE
        )
        return self._apply_transform(self._begin(workspace, task, clock))

    def _begin(self, workspace: SessionWorkspace, task: Task | None, clock: EpisodeClock) -> GitObservation:
        self._episode = _Episode(clock)
        if task is None:
            self._state.gitea_ready = self._host_answers()
            message = "Ready: the workspace is empty. Use list_repos and clone_repo."
            return GitObservation(success=True, message=message)
        try:
            start = self._shared.starting_point(task)
            checkout = workspace.add(start, start.mirror.repository.name)
        except (Refusal, GitHostError, TrustedGitError) as error:
            raise EnvironmentFailedError(f"task {task.name!r} cannot be set up: {error}") from None
        self._episode = _Episode(clock, checkout.name)
        place = checkout.path
        return GitObservation(
            success=True,
            message=f"Ready: task {task.name!r}, {task.repository} at {task.ref}, in {place}",
            output=f"Cloned to: {place}",
        )

    def _host_answers(self) -> bool:
        """Ask the host once; a session without tasks needs it first when it lists or clones."""
        if not self._shared.ready:
            try:
                self._shared.repositories()
            except GitHostError:
                return False
        return True

    def step(  # type: ignore[override]
        self, action: GitAction, timeout_s: float | None = None
    ) -> GitObservation:
        """Carry out one operation. What fails or is refused comes back as ``success=False``.

        Raises:
            NotResetError: ``reset`` has not been called.
        """
        if self._workspace is None or self._episode is None:
            raise NotResetError("call reset() before step()")
        self._state.step_count += 1
        # What is left of the deadline is for the reply.
        self._workspace.set_deadline(None if timeout_s is None else 0.9 * timeout_s)
        operations: dict[str, Callable[[SessionWorkspace, GitAction], GitObservation]] = {
            "list_repos": self._list_repos,
            "clone_repo": self._clone_repo,
            "execute_git_command": self._execute,
            "read_file": workspace_operations.read_file,
            "write_file": workspace_operations.write_file,
        }
        try:
            observation = operations[action.action_type](self._workspace, action)
        except (Refusal, TrustedGitError) as error:
            observation = workspace_operations.failed(f"{action.action_type} failed", str(error))
        except GitHostError as error:
            self._state.gitea_ready = False
            observation = workspace_operations.failed("the git host is not available", str(error))
        if self.rubric is not None:
            observation.reward = self._apply_rubric(action, observation)
        return self._apply_transform(observation)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="git_env",
            description="Isolated Git workspaces over a Gitea host, with task-based resets",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    # --- tasks

    def list_splits(self) -> list[str]:
        """The splits of TASK_REPOS: "train", or none."""
        return self._tasks.splits()

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """Every task of a split."""
        return self._tasks.specs(split)

    def num_tasks(self, split: str) -> int:
        """How many tasks a split has."""
        return len(self._tasks.specs(split))

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """One task by place; raises ``IndexError`` when there is no such place."""
        specs = self._tasks.specs(split)
        if not 0 <= index < len(specs):
            raise IndexError(f"index must be 0 to {len(specs) - 1}, not {index}")
        return specs[index]

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        """Tasks by place, with the bounds of a slice."""
        return self._tasks.specs(split)[start:stop]

    # --- operations

    def _list_repos(self, workspace: SessionWorkspace, action: GitAction) -> GitObservation:
        found = self._shared.repositories()
        self._state.gitea_ready = True
        repos: list[RepositoryInfo] = [
            {
                "name": repository.name,
                "full_name": repository.full_name,
                "clone_url": self._shared.mirrors.shown_url(repository.full_name),
                "description": repository.description,
                "default_branch": repository.default_branch,
            }
            for repository in found
        ]
        return GitObservation(success=True, message=f"Found {len(repos)} repositories", repos=repos)

    def _clone_repo(self, workspace: SessionWorkspace, action: GitAction) -> GitObservation:
        if not action.repo_name:
            raise Refusal("repo_name is empty; list_repos names the repositories there are")
        repository = self._shared.find(action.repo_name)
        start = self._shared.mirrors.starting_point(repository)
        workspace.require_space()
        checkout = workspace.add(start, action.target_dir or repository.name)
        return GitObservation(
            success=True,
            message=f"Cloned {repository.full_name}",
            output=f"Cloned to: {checkout.path}",
        )

    def _execute(self, workspace: SessionWorkspace, action: GitAction) -> GitObservation:
        assert self._episode is not None
        clock, step = self._episode.clock, self._state.step_count
        return workspace_operations.execute(
            self._shared,
            workspace,
            action,
            home=self._episode.home,
            clock=lambda mirror: clock.at(step, mirror.newest),
        )
