"""Parts of the Git environment's server: mirrors, prepared checkouts, the host's client, settings, clock."""

from __future__ import annotations

import fcntl
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from git_env.host import GitHost
from git_env.server.checkout_pool import MAX_STARTING_POINTS, CheckoutPool
from git_env.server.episode_clock import EpisodeClock
from git_env.server.gitea import GiteaClient, GitHostError
from git_env.server.mirrors import StartingPoint
from git_env.server.policy.refusal import Refusal
from git_env.server.settings import GitSettings, Task
from git_env.server.shared_state import SharedState
from git_env.server.trusted_git import HostAccess, TrustedGit, TrustedGitError
from openenv_gym.errors import UsageError
from tests.envs.git.agent import Agent
from tests.envs.git.checkouts import git


class TestHostClient:
    @pytest.mark.parametrize("page_size", [1, 2, 3, 50])
    def test_every_page_is_read(self, host: GitHost, page_size: int) -> None:
        with GiteaClient(host.url, host.username, host.password, page_size=page_size) as client:
            assert [repository.name for repository in client.repositories()] == [
                "empty",
                "hostile",
                "project",
            ]

    def test_one_repository(self, host: GitHost) -> None:
        with GiteaClient(host.url, host.username, host.password) as client:
            found = client.find("gitea/project")
            assert found is not None
            assert found.default_branch == "main"
            for name in ("gitea/none", "project", "../x", "a/../b", "gitea/project/x", ""):
                assert client.find(name) is None

    def test_credentials_are_in_no_error(self, host: GitHost) -> None:
        with (
            GiteaClient(host.url, host.username, "wrong-sesame") as client,
            pytest.raises(GitHostError, match="GITEA_PASSWORD") as refused,
        ):
            client.repositories()
        assert "wrong-sesame" not in str(refused.value)


class TestMirrors:
    def test_starting_points(self, shared: SharedState) -> None:
        repository = shared.find("project")
        main = shared.mirrors.starting_point(repository)
        assert (main.branch, main.name) == ("main", "main")
        assert main.commit is not None
        feature = shared.mirrors.starting_point(repository, "feature/one")
        assert feature.branch == "feature/one"
        tag = shared.mirrors.starting_point(repository, "v1.0")
        short = shared.mirrors.starting_point(repository, main.commit[:8])
        assert (tag.branch, short.branch) == (None, None)
        assert short.commit == main.commit
        assert tag.commit == shared.mirrors.starting_point(repository, "main~1").commit
        for ref in ("none", "0" * 40, "-x", "--help", "a\nb", ""):
            with pytest.raises(Refusal, match="no branch, tag or commit"):
                shared.mirrors.starting_point(repository, ref)

    def test_a_mirror_holds_no_credentials_and_no_address(self, shared: SharedState, host: GitHost) -> None:
        mirror = shared.mirrors.get(shared.find("project"))
        config = (mirror.path / "config").read_text()
        assert host.password not in config
        assert "http" not in config
        assert not (mirror.path / "FETCH_HEAD").exists()

    def test_errors_hide_credentials_and_paths(self, tmp_path: Path, host: GitHost) -> None:
        runner = TrustedGit(tmp_path / "settings")
        access = HostAccess(host.url, host.username, host.password)
        with pytest.raises(TrustedGitError) as failed:
            runner.run(["ls-remote", f"{host.url}/gitea/none.git"], access=access)
        assert host.password not in str(failed.value)
        with pytest.raises(TrustedGitError) as failed:
            runner.run(["init", str(tmp_path / "settings" / "gitconfig" / "x")])
        assert str(tmp_path) not in str(failed.value)

    def test_trusted_git_talks_to_its_host_only(self, tmp_path: Path, host: GitHost) -> None:
        runner = TrustedGit(tmp_path / "settings")
        access = HostAccess(host.url, host.username, host.password)
        for address in ("ext::sh -c true", f"file://{tmp_path}", str(tmp_path), "ssh://host/x"):
            with pytest.raises(TrustedGitError, match="not allowed"):
                runner.run(["ls-remote", address], access=access)

    def test_a_closed_one_runs_nothing(self, tmp_path: Path) -> None:
        runner = TrustedGit(tmp_path / "settings")
        runner.close()
        with pytest.raises(TrustedGitError, match="shutting down"):
            runner.run(["version"])


class TestPool:
    @pytest.fixture
    def start(self, shared: SharedState) -> StartingPoint:
        return shared.mirrors.starting_point(shared.find("project"))

    @pytest.fixture
    def pool(self, tmp_path: Path) -> Iterator[CheckoutPool]:
        def build(start: StartingPoint, path: Path) -> None:
            path.mkdir()
            (path / "name").write_text(start.name)

        pool = CheckoutPool(tmp_path / "pool", build, prepared=4)
        yield pool
        pool.stop()
        pool.join()

    def test_what_is_missing_is_built_and_the_next_is_ready(
        self, pool: CheckoutPool, start: StartingPoint, tmp_path: Path
    ) -> None:
        pool.take(start, tmp_path / "first")
        assert (tmp_path / "first" / "name").read_text() == "main"
        pool.drain()
        assert pool.ready(start) == 2
        pool.take(start, tmp_path / "second")
        pool.drain()
        assert pool.ready(start) == 2

    def test_demand_raises_the_number_up_to_the_bound(
        self, pool: CheckoutPool, start: StartingPoint, tmp_path: Path
    ) -> None:
        for number in range(20):
            pool.take(start, tmp_path / str(number))
        pool.drain()
        assert 2 <= pool.ready(start) <= 4

    def test_starting_points_not_used_for_long_make_room(
        self, pool: CheckoutPool, start: StartingPoint, tmp_path: Path
    ) -> None:
        points = [replace(start, name=f"point-{number}") for number in range(40)]
        for number, point in enumerate(points):
            pool.take(point, tmp_path / str(number))
        pool.drain()
        assert pool.ready(points[0]) == 0
        assert pool.ready(points[-1]) == 2
        left = list((tmp_path / "pool").iterdir())
        assert len(left) <= 2 * 32

    def test_what_was_being_built_for_one_that_made_room_is_removed(
        self, start: StartingPoint, tmp_path: Path
    ) -> None:
        building, go_on = threading.Event(), threading.Event()

        def build(point: StartingPoint, path: Path) -> None:
            if threading.current_thread().name == "git-checkouts" and point.name == "first":
                building.set()
                assert go_on.wait(30.0)
            path.mkdir()

        pool = CheckoutPool(tmp_path / "pool", build)
        pool.prepare(replace(start, name="first"))
        assert building.wait(30.0)
        for number in range(MAX_STARTING_POINTS):
            pool.prepare(replace(start, name=f"point-{number}"))
        go_on.set()
        pool.drain()
        assert len(list((tmp_path / "pool").iterdir())) == MAX_STARTING_POINTS
        pool.stop()
        pool.join()

    def test_a_build_that_fails_leaves_nothing(self, tmp_path: Path, start: StartingPoint) -> None:
        def build(start: StartingPoint, path: Path) -> None:
            path.mkdir()
            raise TrustedGitError("no")

        pool = CheckoutPool(tmp_path / "pool", build)
        with pytest.raises(TrustedGitError):
            pool.take(start, tmp_path / "x")
        pool.prepare(start)
        pool.drain()
        assert pool.ready(start) == 0
        pool.stop()
        pool.join()
        assert list((tmp_path / "pool").iterdir()) == []

    def test_trash_is_removed_however_deep(self, pool: CheckoutPool, tmp_path: Path) -> None:
        deep = tmp_path / "deep"
        deep.mkdir()
        subprocess.run(["mkdir", "-p", "/".join("a" * 1100)], cwd=deep, check=True)
        pool.discard(deep)
        assert not deep.exists()
        pool.drain()
        assert list((tmp_path / "pool").iterdir()) == []


class TestPush:
    @pytest.fixture
    def agent(self, settings: GitSettings, host: GitHost, sources: Path) -> Iterator[Agent]:
        from git_env.server.git_environment import GitEnvironment

        host.import_repository(sources / "project", "pushed")
        tasks = {"pushed": Task("pushed", "pushed", "main")}
        shared = SharedState(replace(settings, allow_push=True, tasks=tasks))
        env = GitEnvironment(shared)
        agent = Agent(env, home="pushed")
        agent.start(task_id="pushed")
        yield agent
        env.close()
        shared.close()
        import httpx

        httpx.delete(f"{host.url}/api/v1/repos/gitea/pushed", auth=(host.username, host.password))

    def test_pushes_reach_the_host_and_the_next_episode(self, agent: Agent, host: GitHost) -> None:
        agent.run("checkout -b topic")
        agent.write("pushed/new.txt", "new\n")
        agent.run("add -A")
        agent.run("commit -m New")
        pushed = agent.git("push -u origin topic")
        assert pushed.success, pushed.error
        assert "refs/heads/topic" in pushed.output
        assert "branch 'topic' up to date" in agent.run(
            "status"
        ) or "up to date with 'origin/topic'" in agent.run("status")
        agent.run("checkout main")
        agent.run("tag v9")
        assert agent.git("push origin v9").success
        assert agent.git("push origin topic:other").success
        assert agent.git("push").success
        agent.run("reset --hard HEAD~1")
        rejected = agent.git("push")
        assert not rejected.success
        assert "rejected" in rejected.error or "rejected" in rejected.output
        assert agent.git("push --force origin main").success
        for refused in ("push origin a b", "push origin none", "push elsewhere", "push origin HEAD~1"):
            assert not agent.git(refused).success
        agent.start(task_id="pushed")
        branches = agent.run("branch -r")
        assert "origin/topic" in branches
        assert "origin/other" in branches
        text = json.dumps([observation.model_dump() for observation in agent.seen])
        assert host.password not in text


class TestSettings:
    def test_everything_can_be_said(self, tmp_path: Path) -> None:
        settings = GitSettings.from_environ(
            {
                "GITEA_URL": "http://user:pass%40word@gitea:3000/",
                "WORKSPACE_DIR": str(tmp_path),
                "TASK_REPOS": '{"bug_fix": ["my-repo", "abc123"], "feature": ["my-repo", "def456"]}',
                "GIT_ALLOW_PUSH": "True",
                "GIT_IMPORT": "'/a b' https://example.com/x.git",
                "GIT_PREPARED": "3",
                "GIT_SANDBOX": "landlock",
                "GIT_COMMAND_SECONDS": "2.5",
            }
        )
        assert settings.gitea_url == "http://gitea:3000"
        assert (settings.username, settings.password) == ("user", "pass@word")
        assert settings.tasks["bug_fix"] == Task("bug_fix", "my-repo", "abc123")
        assert settings.imports == ("/a b", "https://example.com/x.git")
        assert (settings.allow_push, settings.prepared, settings.sandbox) == (True, 3, "landlock")
        assert settings.limits.command_seconds == 2.5
        assert "pass@word" not in repr(settings)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("TASK_REPOS", "{"),
            ("TASK_REPOS", "[]"),
            ("TASK_REPOS", '{"a": "repo"}'),
            ("TASK_REPOS", '{"a": ["repo"]}'),
            ("TASK_REPOS", '{"a": ["repo", 1]}'),
            ("TASK_REPOS", '{"a": ["", "x"]}'),
            ("GITEA_URL", "gitea:3000"),
            ("GITEA_URL", "file:///x"),
            ("GIT_ALLOW_PUSH", "maybe"),
            ("GIT_SANDBOX", "docker"),
            ("GIT_COMMAND_SECONDS", "-1"),
            ("GIT_COMMAND_SECONDS", "soon"),
            ("GIT_OUTPUT_BYTES", "nan"),
        ],
    )
    def test_mistakes_name_the_variable(self, name: str, value: str) -> None:
        with pytest.raises(UsageError, match=name):
            GitSettings.from_environ({name: value})


class TestDirectory:
    def test_what_dead_servers_left_is_removed(self, settings: GitSettings, tmp_path: Path) -> None:
        dead, alive, foreign = (tmp_path / f"openenv-git-{name}" for name in ("dead", "alive", "foreign"))
        for directory in (dead, alive, foreign):
            (directory / "sessions").mkdir(parents=True)
        (dead / "lock").touch()
        with (alive / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with SharedState(replace(settings, workspace_dir=tmp_path)) as shared:
                assert shared.directory.parent == tmp_path
                assert [path.exists() for path in (dead, alive, foreign)] == [False, True, True]
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "openenv-git-alive",
            "openenv-git-foreign",
        ]

    def test_the_embedded_host_serves_what_is_imported(self, sources: Path) -> None:
        with SharedState(GitSettings(imports=(str(sources / "project"),))) as shared:
            assert [repository.name for repository in shared.repositories()] == ["project"]
            assert shared.mirrors.shown_url("gitea/project") == "http://git.internal/gitea/project.git"

    def test_names(self, shared: SharedState) -> None:
        assert shared.find("project") == shared.find("gitea/project") == shared.find("project.git")
        with pytest.raises(Refusal, match="gitea/empty, gitea/hostile, gitea/project"):
            shared.find("gitea/none")


def test_the_clock() -> None:
    assert EpisodeClock(1).at(5, 0) == EpisodeClock(1).at(5, 0)
    assert EpisodeClock(1).at(5, 0) != EpisodeClock(2).at(5, 0)
    times = [EpisodeClock(1).at(step, 2_000_000_000) for step in range(3)]
    assert times == sorted(set(times))
    assert times[0] >= 2_000_000_000


def test_git_reads_a_fresh_checkout_as_a_clone(shared: SharedState, tmp_path: Path, host: GitHost) -> None:
    """Ours and git's own: the same references, settings that matter, files and status."""
    start = shared.mirrors.starting_point(shared.find("project"))
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    shared.pool.take(start, ours)
    git("clone", "--quiet", start.mirror.path, theirs)
    (ours / ".git" / "objects" / "info" / "alternates").write_text(f"{start.mirror.objects}\n")
    for command in (
        ("for-each-ref",),
        ("status",),
        ("rev-parse", "--abbrev-ref", "main@{upstream}"),
        ("ls-files", "--stage"),
        ("symbolic-ref", "refs/remotes/origin/HEAD"),
        ("config", "remote.origin.fetch"),
    ):
        assert git(*command, cwd=ours) == git(*command, cwd=theirs)
    assert git("status", "--porcelain", cwd=ours) == ""
    git("fsck", "--strict", cwd=ours)
