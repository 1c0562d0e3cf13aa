"""The agent's program does to its repository what it likes: no code runs for it, no score is forged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from git_env.server.settings import GitLimits, GitSettings
from git_tasks_env.server.git_tasks_environment import GitTasksEnvironment
from git_tasks_env.server.grading.goals import PointsAt
from git_tasks_env.server.task_source import TaskSource
from openenv_gym.sandbox import available
from tests.envs.git_tasks.player import Player

# Each is run as the task's script, in /workspace/repository or wherever the sandbox shows it.
TAMPERINGS = {
    "a setting that names a program": 'printf "[core]\\n\\tfsmonitor = touch PWNED\\n" >> .git/config',
    "an include of settings": 'printf "[include]\\n\\tpath = /tmp/evil\\n" >> .git/config',
    "another repository in its place": "mv .git elsewhere && ln -s elsewhere .git",
    "a pointer to another repository": "mv .git ../real && echo gitdir: ../real > .git",
    "no repository": "rm -rf .git",
    "common files elsewhere": "echo ../elsewhere > .git/commondir",
    "no objects": "rm -rf .git/objects && mkdir .git/objects",
    "packs that are none": "for f in .git/objects/pack/*; do echo nonsense > $f; done",
    "a configuration that cannot be read": "rm .git/config && mkdir .git/config",
}
HARMLESS = {
    "a reference that is none": "echo nonsense > .git/refs/heads/main",
    "hooks": (
        "mkdir -p .git/hooks; for h in post-checkout reference-transaction post-index-change; do"
        ' printf "#!/bin/sh\\ntouch PWNED\\n" > .git/hooks/$h; chmod +x .git/hooks/$h; done'
    ),
    "filters without a program": 'echo "* filter=evil diff=evil merge=evil" > .git/info/attributes',
    "borrowed objects": "mkdir -p .git/objects/info; echo /etc > .git/objects/info/alternates",
    "a process that stays": "(while :; do echo x > .git/refs/heads/main; done) & exit 1",
    "endless output": "yes | head -c 3000000",
    "a thousand branches": "for n in $(seq 1000); do cp .git/refs/heads/main .git/refs/heads/b$n; done",
}


@pytest.fixture(scope="module", params=available())
def hostile(request: pytest.FixtureRequest, imports: tuple[str, ...]) -> Iterator[Player]:
    """An agent whose programs have two seconds, under every mechanism that works here."""
    limits = replace(GitLimits(), command_seconds=2.0)
    settings = GitSettings(imports=imports[:1], sandbox=request.param, limits=limits, prepared=1)
    source = TaskSource(settings)
    env = GitTasksEnvironment(source)
    yield Player(env)
    env.close()
    source.close()


def run(player: Player, program: str) -> None:
    """Have a program run in the sandbox, in place of the task's script."""
    player.start("find_breakage", "easy")
    assert player.task.script is not None
    player.write(player.task.script, f"{program}\n")
    player.script()


def answer(player: Player) -> str:
    return next(goal.commit for goal in player.task.goals if isinstance(goal, PointsAt))


def traces(player: Player) -> list[Path]:
    """Files that only a program of the repository's choosing makes."""
    assert player.env._workspace is not None
    root = player.env._workspace.root
    return [Path(place) / "PWNED" for place, _, files in os.walk(root) if "PWNED" in files]


@pytest.mark.parametrize("what", TAMPERINGS)
def test_a_tampered_repository_scores_nothing_and_runs_nothing(hostile: Player, what: str) -> None:
    run(hostile, TAMPERINGS[what])
    hostile.git(f"tag answer {answer(hostile)}")
    assert hostile.submit() == 0.0, hostile.seen[-1].metadata
    assert not traces(hostile)
    hostile.start("find_breakage", "easy")
    hostile.solve()
    assert hostile.submit() == 1.0


@pytest.mark.parametrize("what", HARMLESS)
def test_what_does_no_harm_takes_nothing(hostile: Player, what: str) -> None:
    run(hostile, HARMLESS[what])
    commit = answer(hostile)
    hostile.git(f"tag answer {commit}")
    tip = hostile.tip
    score = hostile.submit()
    assert not traces(hostile)
    moved = hostile.seen[-1].metadata["components"].get("other_branches_untouched") == 0.0
    assert score == (0.5 if moved else 1.0), (tip, hostile.seen[-1].metadata)


def test_a_reference_that_never_answers_is_given_up(hostile: Player) -> None:
    run(hostile, "rm .git/packed-refs; mkfifo .git/packed-refs")
    assert hostile.submit() == 0.0
    assert hostile.seen[-1].error


@pytest.mark.parametrize("store", ["replace", "loose"])
def test_a_commit_cannot_pretend_to_be_another(hostile: Player, store: str) -> None:
    """The history that a task asks for, under the name of another commit."""
    hostile.start("rewrite_author", "easy", seed=3)
    wrong = hostile.tip
    hostile.solve()
    right = hostile.run(f"rev-parse {hostile.trunk}").strip()
    hostile.run(f"reset --hard {wrong}")
    workspace = hostile.env._workspace
    assert workspace is not None
    git_dir = workspace.root / "repository" / ".git"
    source = git_dir / "objects" / right[:2] / right[2:]
    assert source.is_file()
    if store == "replace":
        target = git_dir / "refs" / "replace" / wrong
        content = f"{right}\n".encode()
    else:
        _unpack(git_dir)
        target, content = git_dir / "objects" / wrong[:2] / wrong[2:], source.read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    assert hostile.submit() == 0.0, hostile.seen[-1].metadata
    assert "tampered" in hostile.seen[-1].error


def _unpack(git_dir: Path) -> None:
    """Make every object a file of its own, because git believes a pack first."""
    for pack in sorted((git_dir / "objects" / "pack").iterdir()):
        data = pack.read_bytes()
        pack.unlink()
        if pack.suffix == ".pack":
            subprocess.run(
                ["git", "--git-dir", git_dir, "unpack-objects", "-q"], input=data, check=True, cwd=git_dir
            )
