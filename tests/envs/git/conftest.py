"""A real git host with real repositories, shared by the tests of the Git environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from git_env.host import GitHost, HostSettings
from git_env.server.git_environment import GitEnvironment
from git_env.server.settings import GitSettings, Task
from git_env.server.shared_state import SharedState
from openenv_gym.sandbox import why_not
from tests.envs.git.agent import Agent
from tests.envs.git.checkouts import git

UNICODE_NAME = "naïve 文件 😀.txt"
TASKS = {
    "start": Task("start", "project", "v1.0"),
    "feature": Task("feature", "gitea/project", "feature/one"),
    "tip": Task("tip", "project", "main"),
}


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git-sources")
    _make_project(folder / "project")
    _make_hostile(folder / "hostile")
    git("init", "--quiet", "--bare", "--initial-branch=main", folder / "empty.git")
    return folder


@pytest.fixture(scope="session")
def host(sources: Path) -> Iterator[GitHost]:
    imports = sorted(sources.iterdir())
    with GitHost(imports=imports, settings=HostSettings(allow_push=True)) as started:
        yield started


@pytest.fixture(scope="session")
def settings(host: GitHost) -> GitSettings:
    return GitSettings(gitea_url=host.url, username=host.username, password=host.password, tasks=TASKS)


@pytest.fixture(scope="session", params=["auto"])
def shared(settings: GitSettings, request: pytest.FixtureRequest) -> Iterator[SharedState]:
    """Started once for each sandbox mechanism asked for by indirect parameters."""
    mechanism = request.param
    if mechanism != "auto" and (reason := why_not(mechanism)):
        pytest.fail(reason)
    with SharedState(replace(settings, sandbox=mechanism)) as started:
        yield started


@pytest.fixture(scope="module")
def env(shared: SharedState) -> Iterator[GitEnvironment]:
    opened = GitEnvironment(shared)
    yield opened
    opened.close()


@pytest.fixture
def agent(env: GitEnvironment) -> Agent:
    """An agent in a fresh episode of the task "tip": /workspace/project on main."""
    agent = Agent(env)
    agent.start(seed=0, task_id="tip")
    return agent


def _make_project(path: Path) -> None:
    git("init", "--quiet", "--initial-branch=main", path)
    (path / "docs").mkdir()
    for number in range(3):
        (path / "README.md").write_text("".join(f"line {line}\n" for line in range(number + 3)))
        (path / "docs" / f"page{number}.md").write_text(f"# Page {number}\n")
        git("add", ".", cwd=path)
        git("commit", "--quiet", f"--message=Write page {number}", cwd=path)
        if number == 1:
            git("tag", "-a", "v1.0", "--message=First", cwd=path)
    git("checkout", "--quiet", "-b", "feature/one", cwd=path)
    (path / UNICODE_NAME).write_text("Grüße\n")
    (path / "image.bin").write_bytes(bytes(range(256)))
    git("add", ".", cwd=path)
    git("commit", "--quiet", "--message=Add a text and an image", cwd=path)
    git("checkout", "--quiet", "main", cwd=path)


def _make_hostile(path: Path) -> None:
    """What somebody may have pushed: links, attributes, a submodule, a planted bare repository."""
    git("init", "--quiet", "--initial-branch=main", path)
    (path / "passwd").symlink_to("/etc/passwd")
    (path / "root").symlink_to("/")
    (path / "dotgit").symlink_to(".git")
    (path / ".gitattributes").write_text("* filter=pwn diff=pwn merge=pwn\n")
    (path / ".gitmodules").write_text(
        '[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c touch% PWNED\n\tupdate = !touch PWNED\n'
    )
    bare = path / "bare"
    (bare / "objects").mkdir(parents=True)
    (bare / "refs").mkdir()
    (bare / "objects" / "keep").touch()
    (bare / "refs" / "keep").touch()
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    (bare / "config").write_text('[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = "touch PWNED;:"\n')
    (path / "text.txt").write_text("text\n")
    git("add", ".", cwd=path)
    commit = "1" * 40
    git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub", cwd=path)
    git("commit", "--quiet", "--message=Look at me", cwd=path)
