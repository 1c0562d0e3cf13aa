"""Snapshots of the Git environment: everything is there again, git's objects are shared, nothing is run."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from git_env import GitAction
from git_env.models import GitObservation
from git_env.server.app import make_app
from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitSettings
from git_env.server.shared_state import SharedState
from openenv_gym import RemoteEnv
from openenv_gym.errors import EnvironmentFailedError, NotResetError
from tests.envs.git.agent import Agent
from tests.servers import LiveServer

# What there is to lose: staged and unstaged changes, untracked files, settings, a stash, tags, notes.
PREPARE = (
    "config pull.rebase true",
    "checkout -b mine",
    "commit --allow-empty -m first",
    "tag here",
    "stash push -u -m later",
    "branch spare",
    "notes add -m noted",
)
LOOK = (
    "status",
    "diff",
    "diff --cached",
    "log --all --format=fuller --decorate",
    "reflog",
    "stash list",
    "stash show -p",
    "branch -vv --all",
    "config --list",
    "ls-files --stage",
    "rev-parse HEAD",
    "show-ref",
)
GO_ON = (
    "stash pop",
    "add -A",
    "commit -m second",
    "merge --no-ff -m merged origin/feature/one",
    "format-patch -1",
    "reset --hard HEAD~1",
    "log -3 --format=%H%n%ci%n%B",
    "reflog",
)


@pytest.fixture
def fork(shared: SharedState) -> Iterator[Callable[[Any], Agent]]:
    """Make environments that begin from a snapshot."""
    made: list[GitEnvironment] = []

    def begin(state: Any) -> Agent:
        env = GitEnvironment(shared)
        made.append(env)
        env.restore(state)
        return Agent(env)

    yield begin
    for env in made:
        env.close()


def prepare(agent: Agent) -> None:
    agent.write("project/untracked.txt", "new\n")
    agent.write("project/README.md", "changed\n")
    for command in PREPARE:
        agent.run(command)
    agent.write("project/README.md", "again\n")
    agent.run("add README.md")
    agent.write("project/docs/page0.md", "and again\n")
    agent.write("project/untracked again.txt", "new\n")


def play(agent: Agent, commands: tuple[str, ...]) -> list[GitObservation]:
    return [agent.git(command) for command in commands]


@pytest.mark.parametrize("shared", ["bubblewrap", "landlock"], indirect=True)
def test_everything_is_there_again(agent: Agent, fork: Callable[[Any], Agent]) -> None:
    prepare(agent)
    snapshot = agent.env.snapshot()
    seen = play(agent, LOOK)
    twin = fork(snapshot)
    play(agent, GO_ON)
    assert play(twin, LOOK) == seen
    agent.env.restore(snapshot)
    assert play(agent, LOOK) == seen
    assert agent.env.state == twin.env.state
    first = play(agent, GO_ON)
    assert [observation.success for observation in first] == [False, *[True] * 7], "the stash conflicts"
    assert play(twin, GO_ON) == first, "commit hashes included"
    again = fork(snapshot)
    assert play(again, LOOK) + play(again, GO_ON) == seen + first, "nobody has written to the snapshot"
    assert agent.env.reset() == twin.env.reset()
    assert agent.env._rng.getstate() == twin.env._rng.getstate()


COMMANDS = st.sampled_from(
    [
        ("write", "project/README.md", "one\n"),
        ("write", "project/README.md", "two\n"),
        ("write", "project/new/file.txt", "three\n"),
        *(
            ("git", command)
            for command in (
                "add -A",
                "commit -m work",
                "commit -am work",
                "stash",
                "stash pop",
                "checkout -b side",
                "checkout main",
                "merge side",
                "cherry-pick origin/feature/one",
                "reset --hard HEAD~1",
                "rm -q README.md",
                "clean -fd",
                "status",
                "apply --index 0001-work.patch",
                "format-patch -1",
            )
        ),
    ]
)


def follow(agent: Agent, actions: list[tuple[str, ...]]) -> list[GitObservation]:
    done = [agent.git(rest[0]) if kind == "git" else agent.write(*rest) for kind, *rest in actions]
    return [*done, agent.git("status"), agent.git("log --all --oneline"), agent.git("diff HEAD")]


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(COMMANDS, max_size=3), st.lists(COMMANDS, min_size=1, max_size=3), st.integers(0, 3))
def test_equal_actions_after_a_snapshot_have_equal_ends(
    agent: Agent, shared: SharedState, before: list[Any], after: list[Any], seed: int
) -> None:
    agent.start(seed=seed, task_id="tip")
    follow(agent, before)
    snapshot = agent.env.snapshot()
    first = follow(agent, after)
    agent.env.restore(snapshot)
    assert follow(agent, after) == first
    other = GitEnvironment(shared)
    try:
        other.restore(snapshot)
        assert follow(Agent(other), after) == first
    finally:
        other.close()


# --- what it costs -------------------------------------------------------------------------------------


def test_objects_are_shared_and_everything_else_is_not(agent: Agent) -> None:
    agent.write("project/large.txt", "x" * 100_000)
    agent.run("add -A")
    agent.run("commit -m large")
    workspace = agent.env._workspace
    assert workspace is not None
    snapshot = agent.env.snapshot()
    files = [path for path in workspace.root.rglob("*") if path.is_file() and not path.is_symlink()]
    copy = snapshot.workspace.files.directory
    shared = {path for path in files if path.samefile(copy / path.relative_to(workspace.root))}
    assert shared == {path for path in files if "/.git/objects/" in str(path)} != set()


def test_snapshots_are_bounded_by_what_a_workspace_may_hold(settings: GitSettings) -> None:
    small = replace(settings, limits=replace(settings.limits, workspace_bytes=400_000))
    with SharedState(small) as tight:
        env = GitEnvironment(tight)
        agent = Agent(env)
        agent.start(task_id="tip")
        kept = [env.snapshot()]
        with pytest.raises(EnvironmentFailedError, match="no snapshot can be taken: a copy of the workspace"):
            for _ in range(10):
                kept.append(env.snapshot())
        assert agent.git("status").success
        assert len(list(tight.snapshots.iterdir())) == len(kept)
        kept.clear()
        gc.collect()
        env.snapshot()
        gc.collect()
        env.close()
        assert list(tight.snapshots.iterdir()) == [], "gone with whoever held them"


def test_a_snapshot_needs_an_episode_and_its_own_server(shared: SharedState, settings: GitSettings) -> None:
    env = GitEnvironment(shared)
    try:
        with pytest.raises(NotResetError):
            env.snapshot()
        env.reset(task_id="tip")
        with SharedState(settings) as other:
            stranger = GitEnvironment(other)
            with pytest.raises(EnvironmentFailedError, match="mirrors of its own server"):
                stranger.restore(env.snapshot())
            stranger.close()
    finally:
        env.close()


# --- what is planted in it -----------------------------------------------------------------------------


def plant(git_dir: Path, outside: Path) -> None:
    """What an agent may have put there by a way that nobody thought of."""
    payload = f"#!/bin/sh\ntouch {outside}/PWNED\n"
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        hook = git_dir / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(payload)
        hook.chmod(0o777)
    (git_dir / "objects" / "info" / "alternates").write_text(f"{outside}/objects\n")
    with (git_dir / "config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "touch {outside}/PWNED;:"\n')


def test_nothing_that_was_planted_happens(agent: Agent, fork: Callable[[Any], Agent], tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "secret").write_text("4711")
    workspace = agent.env._workspace
    assert workspace is not None
    project = workspace.root / "project"
    plant(project / ".git", tmp_path)
    (project / "secret").symlink_to(tmp_path / "secret")
    (project / "outside").symlink_to(tmp_path)
    bare = project / "bare"
    bare.mkdir()
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    (bare / "config").write_text(f'[core]\n\tfsmonitor = "touch {tmp_path}/PWNED;:"\n')
    snapshot = agent.env.snapshot()
    agent.env.restore(snapshot)
    twin = fork(snapshot)
    for one in (agent, twin):
        assert "tampered" in one.git("status").error
        assert not one.read("project/secret").success
    assert not (tmp_path / "PWNED").exists()
    assert (snapshot.workspace.files.directory / "project" / "secret").readlink() == tmp_path / "secret"
    agent.start(task_id="tip")
    assert agent.git("status").success


# --- behind a server -----------------------------------------------------------------------------------


def test_forks_behind_a_server(live_server: Callable[..., LiveServer], settings: GitSettings) -> None:
    server = live_server(make_app(settings))
    with RemoteEnv(server.base_url) as env:
        env.reset(seed=5, options={"task_id": "tip"})
        write = GitAction(action_type="write_file", path="project/a.txt", content="a\n")
        commands = [
            GitAction(action_type="execute_git_command", command=command)
            for command in ("add -A", "commit -m a", "log -1")
        ]
        env.step(write)
        twins = [env.fork(snapshot) for snapshot in [env.snapshot()] * 2]
        logs = {repr([one.step(command)[0] for command in commands]) for one in (env, *twins)}
        assert len(logs) == 1
        for twin in twins:
            twin.close()
