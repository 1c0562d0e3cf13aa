"""Tasks are functions of their place and the repository; splits share none; what a reset may ask for."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from git_env.server.settings import GitSettings
from git_tasks_env.models import GitTaskAction
from git_tasks_env.server import task_catalog
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.task import Task
from git_tasks_env.server.task_catalog import DIFFICULTIES, KINDS, SIZES, spec_at
from git_tasks_env.server.task_source import TaskSource
from openenv_gym.errors import EnvironmentFailedError, InvalidActionError, NotResetError
from tests.envs.git_tasks.player import Player

COMMANDS = ("status", "log --oneline -5", "reflog", "checkout -b work", "commit --allow-empty -m x", "show")


def essence(task: Task) -> tuple[object, ...]:
    return (
        task.instruction,
        task.head,
        task.refs,
        task.objects,
        task.goals,
        task.guards,
        task.solution,
        task.pack,
    )


def test_equal_places_are_equal_tasks_on_any_server(
    source: TaskSource, imports: tuple[str, ...], repositories: tuple[str, ...]
) -> None:
    """The other server makes them in another order, and has seen nothing else before."""
    few = dict(zip(repositories[:3], imports[:3], strict=True))
    places = [("train", number * 10 + number) for number in range(4)] + [("test", 5)]
    other = TaskSource(GitSettings(imports=tuple(few.values()), prepared=0))
    try:
        for repository in few:
            specs = [spec_at(split, index, repository) for split, index in places]
            here = {spec: essence(source.task(source.resolve(spec))) for spec in specs}
            there = {spec: essence(other.task(other.resolve(spec))) for spec in reversed(specs)}
            assert here == there
    finally:
        other.close()


def test_equal_seeds_and_actions_give_equal_observations(source: TaskSource) -> None:
    transcripts = []
    for _ in range(2):
        env = GitTasksEnvironment(source)
        player = Player(env)
        player.start(seed=7)
        for command in COMMANDS:
            player.git(command)
        player.submit()
        transcripts.append([observation.model_dump_json() for observation in player.seen])
        env.close()
    assert transcripts[0] == transcripts[1]


def test_a_run_without_seeds_goes_on_from_the_first(env: GitTasksEnvironment) -> None:
    runs = []
    for _ in range(2):
        env.reset(seed=11, repository="tiny")
        runs.append([env.state.task_id, *(_next_task(env) for _ in range(3))])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 4


def _next_task(env: GitTasksEnvironment) -> str:
    env.reset(repository="tiny")
    return env.state.task_id


def test_splits_share_no_task(source: TaskSource) -> None:
    specs = {split: [source.resolve(spec_at(split, index, "tiny")) for index in range(9)] for split in SIZES}
    tasks = [source.task(spec) for split in specs.values() for spec in split]
    assert len({tuple(sorted(task.objects)) for task in tasks}) == len(tasks)


def test_every_split_has_equally_many_of_each_kind_and_difficulty() -> None:
    for split, size in SIZES.items():
        specs = [spec_at(split, index) for index in range(size)]
        counts = Counter((spec.kind, spec.difficulty) for spec in specs)
        assert len(counts) == len(KINDS) * len(DIFFICULTIES)
        assert len(set(counts.values())) == 1


def test_what_is_left_open_is_drawn_from_the_training_split() -> None:
    drawn = [task_catalog.draw_spec(random.Random(seed)) for seed in range(200)]
    assert {spec.split for spec in drawn} == {"train"}
    assert {spec.kind for spec in drawn} == set(KINDS)
    assert {spec.difficulty for spec in drawn} == set(DIFFICULTIES)
    hard = task_catalog.draw_spec(random.Random(0), split="test", kind="revert", difficulty="hard")
    assert (hard.split, hard.kind, hard.difficulty) == ("test", "revert", "hard")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"split": "none"}, "splits: train, validation, test"),
        ({"split": "test", "index": 270}, "index must be 0 to 269"),
        ({"index": -1}, "index must be 0"),
        ({"kind": "none"}, "there are: find_line"),
        ({"difficulty": "none"}, "there are: easy, medium, hard"),
        ({"index": 0, "kind": "revert"}, "task train/0 is find_line, easy"),
        ({"max_steps": 0}, "at least 1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_reset_that_cannot_be_says_why(
    env: GitTasksEnvironment, options: dict[str, object], told: str
) -> None:
    with pytest.raises(InvalidActionError, match=told):
        env.reset(seed=0, **options)


def test_an_unknown_repository_is_named(env: GitTasksEnvironment) -> None:
    with pytest.raises(EnvironmentFailedError, match=r"no repository 'none'.*ordinary"):
        env.reset(seed=0, repository="none")


def test_the_limit_grades_what_there_is(env: GitTasksEnvironment) -> None:
    env.reset(seed=2, kind="recover_commit", difficulty="easy", repository="ordinary", max_steps=2)
    task = env._episode.task
    env.step(task.solution[0])
    last = env.step(task.solution[1])
    assert (last.reward, last.done, last.truncated, last.steps_left) == (1.0, True, True, 0)
    assert last.success
    with pytest.raises(NotResetError):
        env.step(task.solution[1])


def test_a_script_runs_only_where_there_is_one(player: Player) -> None:
    player.start("revert")
    assert "no script" in player.script().error
    player.start("find_breakage")
    refused = player.script()
    assert not refused.success
    assert "does not add up" in refused.error
    player.run("bisect start", "bisect bad", f"bisect good {_good(player)}")
    player.run(f"checkout {_good(player)}")
    assert player.script().output == "ok\n"


def test_bisecting_finds_the_commit(player: Player) -> None:
    """With nothing known but the instruction."""
    told = player.start("find_breakage", "hard").instruction
    assert "answer" in told
    output = player.run("bisect start", "bisect bad", f"bisect good {_good(player)}")
    while "is the first bad commit" not in output:
        output = player.run("bisect good" if player.script().success else "bisect bad")
    player.run(f"tag answer {output.split()[0]}")
    assert player.submit() == 1.0


def _good(player: Player) -> str:
    return player.seen[0].instruction.partition("at commit ")[2][:12]


def test_snapshots_keep_the_task(source: TaskSource) -> None:
    env, fork = GitTasksEnvironment(source), GitTasksEnvironment(source)
    env.reset(seed=4, kind="revert", difficulty="medium", repository="ordinary")
    saved = env.snapshot()
    task = env._episode.task
    for action in task.solution:
        solved = env.step(action)
    fork.restore(saved)
    assert fork.step(GitTaskAction(action_type="submit")).reward == 0.0
    env.restore(saved)
    again = [env.step(action) for action in task.solution][-1]
    assert again == solved
    env.close()
    fork.close()
