"""What nearly solves a task, or only looks like it, scores in between or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from git_tasks_env.models import Difficulty, Kind
from git_tasks_env.server.grading.goals import Chain, PointsAt
from tests.envs.git_tasks.player import Player


@dataclass(frozen=True)
class NearMiss:
    """Something done in place of the solution.

    Attributes:
        kind: Of the task.
        difficulty: Of the task.
        what: In words; the test's name.
        least: The lowest score that is right.
        most: The highest.
        do: Does it.
    """

    kind: Kind
    difficulty: Difficulty
    what: str
    least: float
    most: float
    do: Callable[[Player], object]


def answer(player: Player) -> str:
    """The commit that a task asks for."""
    return next(goal.commit for goal in player.task.goals if isinstance(goal, PointsAt))


def forge_dates(player: Player) -> None:
    chain = next(goal for goal in player.task.goals if isinstance(goal, Chain))
    author = chain.steps[0].author
    assert author is not None
    who = f"{author.name} <{author.email}>"
    player.run(f"commit --amend --no-edit --author '{who}' --date 2001-01-01T00:00:00Z")


def squash(player: Player, base: str, message: str = "All in one") -> None:
    player.run(f"reset --soft {base}", f"commit -m '{message}'")


def base_of(player: Player) -> str:
    """What a task's commits stand on."""
    return next(goal.base for goal in player.task.goals if isinstance(goal, Chain))


def commit_markers(player: Player) -> None:
    assert not player.git(f"merge {player.other()}").success
    player.run("add -A -f", "commit -m Merge")


def change_besides(player: Player) -> None:
    player.solve()
    player.write("besides.txt", "x\n")
    player.run("add -f besides.txt", "commit --amend --no-edit")


def leave_modified(player: Player) -> None:
    player.solve()
    path = player.run("ls-files").splitlines()[-1]
    player.write(path, "modified\n")


def move_another_branch(player: Player) -> None:
    player.solve()
    player.run("checkout --detach", f"branch -f {player.other()} HEAD~1")


def restore_files_only(player: Player) -> None:
    """What a backport leads to, as one commit that is the agent's own."""
    player.solve()
    squash(player, base_of(player))


NEAR_MISSES = (
    NearMiss(
        "find_line", "easy", "the commit before", 0.3, 0.3, lambda p: p.run(f"tag answer {answer(p)}~1")
    ),
    NearMiss("find_line", "hard", "the newest commit", 0.0, 0.0, lambda p: p.run("tag answer")),
    NearMiss(
        "find_line", "medium", "a tag that is no commit", 0.0, 0.0, lambda p: p.run("tag answer HEAD^{tree}")
    ),
    NearMiss(
        "find_line",
        "medium",
        "the commit, but the branch moved too",
        0.5,
        0.5,
        lambda p: p.run(f"tag answer {answer(p)}", "reset --hard HEAD~1"),
    ),
    NearMiss(
        "find_line", "easy", "a branch for a tag", 1.0, 1.0, lambda p: p.run(f"branch answer {answer(p)}")
    ),
    NearMiss(
        "find_line", "easy", "an annotated tag", 1.0, 1.0, lambda p: p.run(f"tag -a answer -m it {answer(p)}")
    ),
    NearMiss(
        "find_breakage", "easy", "the one before", 0.3, 0.3, lambda p: p.run(f"tag answer {answer(p)}~1")
    ),
    NearMiss(
        "find_breakage",
        "medium",
        "a copy of the commit",
        0.0,
        0.0,
        lambda p: p.run(f"checkout --detach {answer(p)}", "commit --amend --no-edit", "tag answer"),
    ),
    NearMiss("revert", "easy", "not committed", 0.0, 0.0, lambda p: p.run(f"revert -n {_reverted(p)}")),
    NearMiss("revert", "easy", "history rewritten", 0.1, 0.3, lambda p: _revert_by_rewriting(p)),
    NearMiss("revert", "easy", "another commit", 0.0, 0.0, lambda p: p.run("revert --no-edit HEAD^2")),
    NearMiss("revert", "hard", "another file changed too", 0.1, 0.6, change_besides),
    NearMiss(
        "revert",
        "medium",
        "the rest thrown away",
        0.0,
        0.1,
        lambda p: p.run(f"reset --hard {_reverted(p)}~1"),
    ),
    NearMiss("revert", "medium", "something left modified", 0.9, 0.9, leave_modified),
    NearMiss(
        "resolve_conflict",
        "medium",
        "one side for all",
        0.1,
        0.8,
        lambda p: p.run(f"merge -X ours {p.other()}"),
    ),
    NearMiss(
        "resolve_conflict",
        "medium",
        "nothing of theirs",
        0.0,
        0.6,
        lambda p: p.run(f"merge -s ours {p.other()}"),
    ),
    NearMiss("resolve_conflict", "easy", "markers left in", 0.1, 0.6, commit_markers),
    NearMiss(
        "resolve_conflict",
        "easy",
        "the other way round",
        0.0,
        0.6,
        lambda p: p.run(f"checkout {p.other()}", f"merge -X theirs {p.trunk}", f"branch -f {p.trunk} HEAD"),
    ),
    NearMiss("split_commit", "easy", "another message", 0.0, 0.0, lambda p: p.run("commit --amend -m Split")),
    NearMiss(
        "split_commit",
        "medium",
        "an empty commit more",
        0.0,
        0.0,
        lambda p: p.run("commit --allow-empty -m x"),
    ),
    NearMiss("split_commit", "medium", "all in one", 0.0, 0.0, lambda p: squash(p, base_of(p))),
    NearMiss("split_commit", "hard", "the later commits lost", 0.0, 0.1, lambda p: _without_later(p)),
    NearMiss("move_branch", "easy", "only taken back", 0.0, 0.11, lambda p: p.run("reset --hard HEAD~2")),
    NearMiss("move_branch", "easy", "only moved", 0.4, 0.6, lambda p: p.solve(slice(0, 1))),
    NearMiss("move_branch", "medium", "only taken back", 0.0, 0.1, lambda p: p.run("reset --hard HEAD~2")),
    NearMiss("move_branch", "hard", "only the lower branch", 0.3, 0.6, lambda p: p.solve(slice(0, 1))),
    NearMiss(
        "move_branch",
        "hard",
        "merged in place of moved",
        0.0,
        0.1,
        lambda p: p.run(f"checkout {p.other(1)}", f"merge --no-edit {p.trunk}"),
    ),
    NearMiss("recover_commit", "easy", "a copy", 0.1, 0.5, lambda p: _copy_lost(p)),
    NearMiss("recover_commit", "hard", "another version", 0.1, 0.5, lambda p: _other_version(p)),
    NearMiss(
        "recover_commit", "easy", "the branch moved there", 0.0, 0.0, lambda p: p.run("reset --hard HEAD@{3}")
    ),
    NearMiss("rewrite_author", "easy", "forged dates", 0.4, 0.8, forge_dates),
    NearMiss("rewrite_author", "easy", "the agent's own name", 0.0, 0.0, lambda p: p.run(_RESET_AUTHOR)),
    NearMiss("rewrite_author", "hard", "all in one", 0.0, 0.0, lambda p: squash(p, base_of(p))),
    NearMiss("rewrite_author", "medium", "another branch moved", 0.5, 0.5, move_another_branch),
    NearMiss("backport", "easy", "everything merged", 0.0, 0.6, lambda p: _merge_all(p)),
    NearMiss("backport", "medium", "without the follow-up", 0.1, 0.7, lambda p: p.solve(slice(0, 2))),
    NearMiss("backport", "medium", "as one own commit", 0.3, 0.7, restore_files_only),
    NearMiss("backport", "hard", "the conflict left", 0.0, 0.0, lambda p: p.solve(slice(0, 2))),
)
_RESET_AUTHOR = "commit --amend --no-edit --reset-author"


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.kind}-{case.difficulty}-{case.what}") for case in NEAR_MISSES]
)
def test_near_misses_score_in_between(player: Player, case: NearMiss) -> None:
    player.start(case.kind, case.difficulty)
    case.do(player)
    score = player.submit()
    last = player.seen[-1]
    assert case.least - 1e-9 <= score <= case.most + 1e-9, (score, last.metadata, last.error)


def _reverted(player: Player) -> str:
    """The commit that is to be reverted."""
    return player.task.solution[0].command.split()[-1]


def _revert_by_rewriting(player: Player) -> None:
    """The right files, in a history without the one that there was."""
    player.solve()
    squash(player, f"{player.tip}~1")


def _without_later(player: Player) -> None:
    """The commit split, what came after it left out."""
    player.solve()
    player.run("reset --hard HEAD~2")


def _copy_lost(player: Player) -> None:
    *_, name, commit = player.task.solution[1].command.split()
    player.run(f"checkout -b {name} {commit}", "commit --amend --no-edit")


def _other_version(player: Player) -> None:
    *_, name, commit = player.task.solution[1].command.split()
    others = next(goal.near for goal in player.task.goals if isinstance(goal, PointsAt))
    player.run(f"branch {name} {next(other for other in others if other != commit)}")


def _merge_all(player: Player) -> None:
    player.run(f"checkout {player.other()}", f"merge --no-edit {player.trunk}")
