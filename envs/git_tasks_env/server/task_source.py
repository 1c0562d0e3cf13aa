"""TaskSource: what all sessions of one server share - the repositories, and the tasks made from them."""

from __future__ import annotations

import random
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from git_env.server.checkouts import Checkout
from git_env.server.gitea import GitHostError
from git_env.server.mirrors import StartingPoint
from git_env.server.policy.refusal import Refusal
from git_env.server.session_workspace import SessionWorkspace
from git_env.server.settings import GitSettings
from git_env.server.shared_state import SharedState
from git_env.server.trusted_git import TrustedGitError
from git_tasks_env.models import Difficulty, Kind
from git_tasks_env.server.kinds import (
    backport,
    find_breakage,
    find_line,
    move_branch,
    recover_commit,
    resolve_conflict,
    revert,
    rewrite_author,
    split_commit,
)
from git_tasks_env.server.kinds.actions import DIRECTORY
from git_tasks_env.server.objects import MalformedObjectError, ObjectReader
from git_tasks_env.server.repository_view import RepositoryView
from git_tasks_env.server.task import Task, TaskSpec
from git_tasks_env.server.task_catalog import task_seed
from git_tasks_env.server.task_checkout import lay_over
from git_tasks_env.server.workbench import Workbench
from openenv_gym.errors import ClosedError, EnvironmentFailedError

GENERATORS: Mapping[Kind, Callable[[Workbench, Difficulty], Task]] = MappingProxyType(
    {
        "find_line": find_line.make,
        "find_breakage": find_breakage.make,
        "revert": revert.make,
        "resolve_conflict": resolve_conflict.make,
        "split_commit": split_commit.make,
        "move_branch": move_branch.make,
        "recover_commit": recover_commit.make,
        "rewrite_author": rewrite_author.make,
        "backport": backport.make,
    }
)
_MAX_TASKS = 256
# Bytes are bytes: no line ending, filter or merge driver of a repository's own comes in between.
_ATTRIBUTES = "* -text !eol !filter !ident !merge !working-tree-encoding !diff\n"


class TaskSource:
    """Makes tasks, and puts them into workspaces. Thread-safe.

    Args:
        settings: The Git environment's, for the repositories and the sandbox; by default read from the
            environment's variables.
    """

    def __init__(self, settings: GitSettings | None = None) -> None:
        self.shared = SharedState(settings, attributes=_ATTRIBUTES)
        self._lock = Lock()
        self._closed = False
        self._names: tuple[str, ...] = ()
        self._views: dict[str, RepositoryView] = {}
        self._tasks: OrderedDict[TaskSpec, Task] = OrderedDict()

    def open(self) -> None:
        """Begin anew after `close`: the repositories' copies are gone, and tasks point into them."""
        with self._lock:
            if self._closed:
                self._closed = False
                self._names = ()
                self._tasks.clear()
        self.shared.open()

    def start(self) -> None:
        """Start what is not started yet.

        Raises:
            StartupError: The embedded git host could not start.
            GitHostError: The host does not answer.
            Refusal: It has no repositories.
        """
        self.shared.start()
        with self._lock:
            if not self._names:
                self._names = tuple(sorted(found.full_name for found in self.shared.repositories()))
            if not self._names:
                raise Refusal("the git host has no repository to make tasks from")

    def prepare(self) -> None:
        """Fetch the repositories ahead of the first reset, and build first checkouts.

        Raises:
            EnvironmentFailedError: A repository cannot be had.
        """
        try:
            self.start()
            for name in self._names:
                for start in self._view(name).starts:
                    self.shared.pool.prepare(start)
        except (Refusal, GitHostError, TrustedGitError) as error:
            raise EnvironmentFailedError(f"a repository cannot be prepared: {error}") from None

    def close(self) -> None:
        """End everything. Safe in any state."""
        with self._lock:
            self._closed = True
            for view in self._views.values():
                view.close()
            self._views.clear()
        self.shared.close()

    def resolve(self, spec: TaskSpec) -> TaskSpec:
        """The same spec with its repository said by its whole name; the index decides where it is open.

        Raises:
            Refusal: There is no such repository.
            GitHostError: The host does not answer.
        """
        self.start()
        if spec.repository is None:
            name = random.Random(f"repository of {task_seed(spec)}").choice(self._names)
        else:
            name = self.shared.find(spec.repository).full_name
        return TaskSpec(spec.split, spec.index, spec.kind, spec.difficulty, name)

    def task(self, spec: TaskSpec) -> Task:
        """Make a task, or find it among those made last.

        Args:
            spec: With its repository, from `resolve`.

        Raises:
            Refusal: There is no such repository.
            GitHostError: The host does not answer.
            TrustedGitError: The repository could not be fetched.
        """
        with self._lock:
            task = self._tasks.get(spec)
            if task is not None:
                self._tasks.move_to_end(spec)
                return task
        assert spec.repository is not None
        view = self._view(spec.repository)
        try:
            bench = Workbench(view, random.Random(task_seed(spec)))
            task = GENERATORS[spec.kind](bench, spec.difficulty)
        except MalformedObjectError as error:
            self._forget(spec.repository)  # the next task begins with a new process
            raise TrustedGitError(f"the repository cannot be read: {error}") from None
        with self._lock:
            self._tasks[spec] = task
            if len(self._tasks) > _MAX_TASKS:
                self._tasks.popitem(last=False)
        return task

    def place(self, task: Task, workspace: SessionWorkspace) -> Checkout:
        """Put a task's repository into a workspace.

        Raises:
            TrustedGitError: It could not be built.
        """
        return workspace.place(task.base.mirror, Path(DIRECTORY).name, partial(self._build, task))

    def objects(self, spec: TaskSpec) -> ObjectReader:
        """The objects of the repository that a task was made from, as the server has them."""
        assert spec.repository is not None
        return self._view(spec.repository).objects

    def _build(self, task: Task, target: Path) -> None:
        # Beside the workspaces, where no sandbox reaches it before it is complete.
        staging = self.shared.snapshots / secrets.token_hex(8)
        self.shared.pool.take(task.base, staging)
        try:
            lay_over(self.shared.git, task, staging)
            staging.rename(target)
        except BaseException:
            self.shared.pool.discard(staging)
            raise

    def _forget(self, name: str) -> None:
        with self._lock:
            view = self._views.pop(name, None)
            if view is not None:
                view.close()

    def _view(self, name: str) -> RepositoryView:
        with self._lock:
            if self._closed:
                raise ClosedError("the Git tasks' server is shutting down")
            view = self._views.get(name)
            if view is None:
                tip: StartingPoint = self.shared.mirrors.starting_point(self.shared.find(name))
                view = self._views[name] = RepositoryView(self.shared.git, tip)
            return view
