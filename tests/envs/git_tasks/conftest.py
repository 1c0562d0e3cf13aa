"""A source of tasks over several repositories, shared by the tests of the Git tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from git_env.server.settings import GitSettings
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task_source import TaskSource
from tests.envs.git_tasks.player import Player
from tests.envs.git_tasks.repositories import make_all


@pytest.fixture(scope="session")
def imports(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Repositories to make tasks from."""
    made = make_all(tmp_path_factory.mktemp("task-sources"))
    return tuple(str(path) for path in made.values())


@pytest.fixture(scope="session")
def repositories(imports: tuple[str, ...]) -> tuple[str, ...]:
    """Their names at the git host."""
    return tuple(Path(path).name for path in imports)


@pytest.fixture(scope="session")
def source(imports: tuple[str, ...]) -> Iterator[TaskSource]:
    made = TaskSource(GitSettings(imports=imports, prepared=1))
    yield made
    made.close()


@pytest.fixture(scope="module")
def env(source: TaskSource) -> Iterator[GitTasksEnvironment]:
    opened = GitTasksEnvironment(source)
    yield opened
    opened.close()


@pytest.fixture
def player(env: GitTasksEnvironment) -> Player:
    return Player(env)
