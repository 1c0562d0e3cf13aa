"""Git tasks of every kind, difficulty and repository, by many seeds; a sample unless all are asked."""

from __future__ import annotations

import os
import random
from itertools import product

import pytest

from git_tasks_env.models import Difficulty, Kind
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task_catalog import DIFFICULTIES, KINDS
from tests.documents import ROOT
from tests.envs.git_tasks.conftest import env, source
from tests.envs.git_tasks.repositories import make_all
from tests.envs.git_tasks.test_solutions import check

__all__ = ["env", "source"]

_SAMPLE = 4
_SEEDS = 20
_OWN = (ROOT.name,) if (ROOT / ".git").exists() else ()
_REPOSITORIES = ("empty", "odd", "ordinary", "tiny", *_OWN)

CASES = sorted(product(KINDS, DIFFICULTIES, _REPOSITORIES))
if os.environ.get("OPENENV_GYM_SWEEP") != "all":
    CASES = sorted(random.Random(5).sample(CASES, _SAMPLE))


@pytest.fixture(scope="session")
def imports(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The repositories of the quick tests, and this project's own where it is a checkout."""
    made = make_all(tmp_path_factory.mktemp("task-sources")).values()
    return tuple(str(path) for path in (*made, *([ROOT] if _OWN else [])))


@pytest.mark.parametrize(("kind", "difficulty", "repository"), CASES)
def test_solutions_score_one_and_nothing_scores_zero(
    env: GitTasksEnvironment, kind: Kind, difficulty: Difficulty, repository: str
) -> None:
    seeds = range(_SEEDS) if len(CASES) > _SAMPLE else (5,)
    for seed in seeds:
        check(env, seed, kind, difficulty, repository)
