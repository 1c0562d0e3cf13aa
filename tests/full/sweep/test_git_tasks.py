"""Git tasks of every kind, difficulty and repository, by many seeds; a sample unless all are asked."""

from __future__ import annotations

import os
import random
from itertools import product

import pytest

from git_tasks_env.models import Difficulty, Kind
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task_catalog import DIFFICULTIES, KINDS
from tests.envs.git_tasks.conftest import env, imports, repositories, source
from tests.envs.git_tasks.test_solutions import check

__all__ = ["env", "imports", "repositories", "source"]

_SAMPLE = 4
_SEEDS = 20
_REPOSITORIES = ("empty", "odd", "ordinary", "tiny")

CASES = sorted(product(KINDS, DIFFICULTIES, _REPOSITORIES))
if os.environ.get("OPENENV_GYM_SWEEP") != "all":
    CASES = sorted(random.Random(5).sample(CASES, _SAMPLE))


@pytest.mark.parametrize(("kind", "difficulty", "repository"), CASES)
def test_solutions_score_one_and_nothing_scores_zero(
    env: GitTasksEnvironment, kind: Kind, difficulty: Difficulty, repository: str
) -> None:
    seeds = range(_SEEDS) if len(CASES) > _SAMPLE else (5,)
    for seed in seeds:
        check(env, seed, kind, difficulty, repository)
