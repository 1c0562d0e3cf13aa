"""Episodes of the Git environment: equal ones are equal to the byte, different ones share nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitSettings, Task
from git_env.server.shared_state import SharedState
from openenv_gym.sandbox import available
from tests.envs.git.agent import Agent

SCRIPT = (
    "status",
    "checkout -b work",
    "add -A",
    "commit -m 'Write it'",
    "commit --amend -m 'Write it better'",
    "log --date=relative -2",
    "log --since='1 hour ago' --format=%H",
    "stash list --date=iso",
    "rebase origin/feature/one",
    "tag -a v3 -m Third",
    "show v3",
    "reflog --date=iso",
    "fetch",
    "pull --no-rebase origin main",
    "log -1 --format=%H%n%B",
    "diff HEAD~2 --stat",
    "no-such-command",
    "log --no-such-option",
    "blame --date=relative README.md",
    "branch -vv",
    "count-objects",
    "rev-parse --absolute-git-dir",
    "apply nothing.patch",
    "format-patch --stdout -1",
)


def play(agent: Agent, seed: int) -> list[str]:
    """A whole episode; everything that was observed."""
    agent.seen.clear()
    agent.start(seed=seed, task_id="tip")
    agent.write("project/new.txt", "text\n")
    agent.write("project/README.md", "changed\n")
    for command in SCRIPT:
        agent.git(command)
    agent.clone("empty")
    agent.read("project/new.txt")
    agent.act(action_type="list_repos")
    return [observation.model_dump_json() for observation in agent.seen]


def tree(root: Path) -> dict[str, bytes]:
    """Every file below ``root``, less what holds times of the file system."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "index")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_equal_seeds_and_actions_give_equal_observations(agent: Agent) -> None:
    first = play(agent, seed=3)
    assert play(agent, seed=3) == first
    assert play(agent, seed=4) != first


def test_the_mechanism_makes_no_difference(sources: Path) -> None:
    """Nor does the server: each has an embedded host of its own, on a port of its own."""
    task = {"tip": Task("tip", "project", "main")}
    imports = tuple(str(sources / name) for name in ("empty.git", "project"))
    transcripts = []
    for mechanism in available():
        settings = GitSettings(imports=imports, tasks=task, sandbox=mechanism)
        with SharedState(settings) as shared:
            env = GitEnvironment(shared)
            transcripts.append(play(Agent(env), seed=5))
            env.close()
    assert transcripts
    for transcript in transcripts[1:]:
        assert transcript == transcripts[0]


def test_nothing_is_left_of_an_episode(agent: Agent) -> None:
    workspace = agent.env._workspace
    assert workspace is not None
    fresh = tree(workspace.root)
    agent.write("project/junk.txt", "junk\n")
    agent.write("beside/the/repository.txt", "junk\n")
    agent.clone("empty")
    for command in (
        "add -A",
        "stash",
        "checkout -b other",
        "commit --allow-empty -m other",
        "tag other-tag",
        "notes add -m note",
        "config user.name Intruder",
        "config branch.main.merge refs/heads/feature/one",
        "branch -D main",
        "update-index --assume-unchanged README.md",
        "bisect start",
        "rebase --onto HEAD~1 HEAD~2",
        "reset --hard v1.0",
        "branch -d -r origin/main",
    ):
        agent.git(command)
    workspace._sandbox.write_file("/tmp/leftover", b"junk")
    agent.start(seed=1, task_id="tip")
    assert tree(workspace.root) == fresh
    assert agent.run("for-each-ref refs/stash refs/notes refs/heads/other refs/tags/other-tag") == ""
    assert "Intruder" not in agent.run("config --list")
    with pytest.raises(FileNotFoundError):
        workspace._sandbox.read_file("/tmp/leftover", 10)


def test_sessions_never_see_each_other(shared: SharedState) -> None:
    """Four at once, on four threads, all on the same task."""
    problems: list[str] = []
    barrier = threading.Barrier(4)

    def live(name: str) -> None:
        env = GitEnvironment(shared)
        agent = Agent(env)
        try:
            for episode in range(3):
                agent.start(seed=episode, task_id="tip")
                barrier.wait(30)
                agent.run(f"checkout -b {name}")
                agent.write(f"project/{name}.txt", f"{name}\n")
                agent.run("add -A")
                agent.run(f"commit -m {name}")
                agent.run("fetch")
                seen = agent.run("branch -a") + agent.run("log --all --format=%s") + agent.run("ls-files")
                problems.extend(other for other in "abcd" if f"session-{other}" in seen and other != name[-1])
        finally:
            env.close()

    threads = [threading.Thread(target=live, args=(f"session-{letter}",)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert not barrier.broken


@pytest.fixture
def alone(settings: GitSettings) -> Iterator[GitEnvironment]:
    """An environment that owns all it uses."""
    env = GitEnvironment(SharedState(settings))
    env._owned.callback(env._shared.close)
    yield env
    env.close()


def test_nothing_is_left_of_a_server(alone: GitEnvironment, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    alone.reset(task_id="tip")
    directory = alone._shared.directory
    assert directory.is_dir()
    alone.close()
    assert not directory.exists()
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left <= {"AnyIO worker thread"}  # of the git host that this process serves for all tests
