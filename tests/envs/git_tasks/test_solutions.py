"""Every kind of task, in every kind of repository: its solution scores 1.0, doing nothing scores 0.0."""

from __future__ import annotations

import pytest

from git_env.server.settings import GitSettings
from git_tasks_env.models import Difficulty, GitTaskAction, Kind
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task_catalog import DIFFICULTIES, KINDS
from git_tasks_env.server.task_source import GENERATORS, TaskSource
from tests.documents import ROOT

SUBMIT = GitTaskAction(action_type="submit")


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_solution_scores_one_and_nothing_scores_zero(
    env: GitTasksEnvironment, repositories: tuple[str, ...], kind: Kind, difficulty: Difficulty
) -> None:
    # Two repositories for each kind and difficulty: over all of them, each kind meets each repository.
    first = 2 * DIFFICULTIES.index(difficulty)
    for seed in (first, first + 1):
        check(env, seed, kind, difficulty, repositories[seed % len(repositories)])


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the project is no checkout of a repository here")
def test_this_repository_s_own_history() -> None:
    source = TaskSource(GitSettings(imports=(str(ROOT),), prepared=1))
    env = GitTasksEnvironment(source)
    for seed, kind in enumerate(KINDS[::3]):  # its checkouts are large; the sweep has all kinds
        check(env, seed, kind, None, None)
    env.close()
    source.close()


def check(
    env: GitTasksEnvironment, seed: int, kind: Kind, difficulty: Difficulty | None, repository: str | None
) -> None:
    """Solve a task, and leave it alone."""
    env.reset(seed=seed, kind=kind, difficulty=difficulty, repository=repository)
    assert env._episode is not None
    task = env._episode.task
    last = [env.step(action) for action in task.solution][-1]
    assert (last.reward, last.done, last.truncated) == (1.0, True, False), (repository, last.metadata)
    assert env.state.score == 1.0
    env.reset(seed=seed, kind=kind, difficulty=difficulty, repository=repository)
    assert env._episode.task is task
    nothing = env.step(SUBMIT)
    assert nothing.reward == 0.0, (repository, nothing.metadata)


def test_there_is_a_generator_for_every_kind() -> None:
    assert set(GENERATORS) == set(KINDS)
