"""Starting, stopping and restarting the embedded git host; who may enter; what it leaves behind: nothing."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from git_env.host import GitHost, HostSettings
from openenv_gym.errors import ClosedError, StartupError
from tests.envs.git.checkouts import make_checkout

_ROOT = Path(__file__).parents[3]


def test_a_private_folder_that_goes_away() -> None:
    with GitHost() as host:
        root = host.root
        assert root is not None and stat.S_IMODE(root.stat().st_mode) == 0o700
    assert not root.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{host.url}/api/v1/version")


def test_stop_is_safe_in_any_state() -> None:
    host = GitHost()
    host.stop()
    with pytest.raises(ClosedError):
        host.start()
    with pytest.raises(ClosedError):
        host.repositories()
    with GitHost() as host:
        with pytest.raises(ClosedError):
            host.start()
        host.stop()
        host.stop()


def test_a_root_keeps_repositories_and_is_held_by_one_host(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "kept")
    root = tmp_path / "root"
    with GitHost(root=root, imports=[checkout]) as host:
        first = host.repositories()
        assert [each.name for each in first] == ["kept"]  # no sample beside it
        with pytest.raises(StartupError, match="already serves"):
            GitHost(root=root).start()
    (root / "incoming" / "half-an-import").mkdir()
    with GitHost(root=root) as host:
        assert host.repositories() == first
        assert list((root / "incoming").iterdir()) == []


def test_a_root_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with GitHost(root="data") as host:
        assert host.root == tmp_path / "data"
        assert [each.name for each in host.repositories()] == ["sample-project"]


def test_what_cannot_be_started_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="no git repository"):
        GitHost(root=tmp_path / "root", imports=[tmp_path]).start()
    with GitHost() as host:
        port = int(host.url.rpartition(":")[2])
        with pytest.raises(StartupError, match="cannot listen"):
            GitHost(port=port).start()


@pytest.fixture(scope="module")
def host() -> Iterator[GitHost]:
    with GitHost() as started:
        yield started


class TestCredentials:
    def test_they_are_random_and_not_shown(self, host: GitHost) -> None:
        assert host.password != GitHost().password and len(host.password) >= 24
        assert host.password not in repr(host)

    @pytest.mark.parametrize(
        "authorization",
        [
            "",
            "Basic",
            "Basic !!!",
            "Basic " + base64.b64encode(b"\xff\xfe").decode(),
            "Basic " + base64.b64encode(b"gitea:").decode(),
            "Basic " + base64.b64encode(b"gitea:wrong").decode(),
            "Basic " + base64.b64encode(b":").decode(),
            "Token",
            "token x",
            "Bearer None",
            "Digest x",
            "Negotiate",
        ],
    )
    def test_wrong_ones_all_get_the_same_answer(self, host: GitHost, authorization: str) -> None:
        for path in ("/api/v1/user", "/api/v1/repos/search", "/api/v1/repos/gitea/none"):
            reply = httpx.get(f"{host.url}{path}", headers={"Authorization": authorization})
            assert reply.status_code == 401
            assert reply.json()["message"] == "invalid username, password or token"

    def test_the_right_password_for_another_user(self, host: GitHost) -> None:
        assert httpx.get(f"{host.url}/api/v1/user", auth=("else", host.password)).status_code == 401
        assert httpx.get(f"{host.url}/api/v1/user", auth=("GITEA", host.password)).status_code == 200

    def test_without_any(self, host: GitHost) -> None:
        for path in ("version", "../healthz"):
            assert httpx.get(f"{host.url}/api/v1/{path}").status_code == 200
        for path in ("user", "user/repos", "repos/search", "repos/gitea/sample-project", "repos/gitea/none"):
            assert httpx.get(f"{host.url}/api/v1/{path}").status_code == 401
        for path in ("user/repos", "repos/migrate", "users/gitea/tokens"):
            body = {"name": "x", "clone_addr": "http://x/y"}
            assert httpx.post(f"{host.url}/api/v1/{path}", json=body).status_code == 401
        assert httpx.delete(f"{host.url}/api/v1/repos/gitea/sample-project").status_code == 401


def test_anonymous_reading_shows_only_what_is_public() -> None:
    with GitHost(settings=HostSettings(anonymous_read=True, allow_push=True)) as host:
        login = (host.username, host.password)
        httpx.post(f"{host.url}/api/v1/user/repos", auth=login, json={"name": "hidden", "private": True})
        shown = httpx.get(f"{host.url}/api/v1/repos/search").json()["data"]
        assert [each["name"] for each in shown] == ["sample-project"]
        services = ("git-upload-pack", "git-receive-pack")
        statuses = {
            (name, service): httpx.get(f"{host.url}/gitea/{name}.git/info/refs?service={service}").status_code
            for name in ("sample-project", "hidden")
            for service in services
        }
        assert statuses == {
            ("sample-project", "git-upload-pack"): 200,
            ("sample-project", "git-receive-pack"): 401,
            ("hidden", "git-upload-pack"): 404,
            ("hidden", "git-receive-pack"): 401,
        }
        assert httpx.get(f"{host.url}/api/v1/repos/gitea/hidden").status_code == 404
        assert httpx.get(f"{host.url}/api/v1/repos/gitea/hidden", auth=("x", "y")).status_code == 401
        assert httpx.delete(f"{host.url}/api/v1/repos/gitea/sample-project").status_code == 401


_FORGETFUL = """
import os, sys
from git_env.host import GitHost
host = GitHost().start()
if os.fork() == 0:
    sys.exit(0)  # the child's exit handlers must not touch the parent's host
os.wait()
assert host.root.exists() and host.repositories()
print(host.root)
"""


def test_the_folder_goes_away_at_exit_too_and_not_with_a_forked_child() -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "ignore", "-c", _FORGETFUL]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists()


class TestProgram:
    """`openenv-gym git-host`, as a process."""

    @pytest.fixture
    def environ(self, tmp_path: Path) -> dict[str, str]:
        """An environment in which the command is found by its entry point, whether installed or not."""
        project = tomllib.loads((_ROOT / "envs" / "git_env" / "pyproject.toml").read_text())["project"]
        commands = project["entry-points"]["openenv_gym.commands"]
        info = tmp_path / "openenv_gym_git-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: openenv-gym-git\nVersion: 0\n")
        lines = [f"{name} = {value}" for name, value in commands.items()]
        (info / "entry_points.txt").write_text("\n".join(["[openenv_gym.commands]", *lines]))
        path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        return {name: value for name, value in os.environ.items() if not name.startswith("GITEA_")} | {
            "PYTHONPATH": path
        }

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_it_serves_until_told_to_stop(
        self, environ: dict[str, str], tmp_path: Path, how: signal.Signals
    ) -> None:
        checkout = make_checkout(tmp_path / "project")
        command = [
            sys.executable,
            "-m",
            "openenv_gym.cli.main",
            "git-host",
            "--port",
            "0",
            "--import",
            checkout,
        ]
        with subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None and process.stderr is not None
                printed = {}
                for line in process.stdout:
                    key, _, value = line.strip().partition("  ")
                    printed[key] = value.strip()
                    if key == "in a shell":
                        break
                assert printed["repositories"] == "gitea/project"
                credentials = Path(printed["credentials"].partition("  ")[0])
                assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
                login = dict(line.split("=", 1) for line in credentials.read_text().splitlines())
                assert login["GITEA_PASSWORD"] not in json.dumps(printed)  # not to what is no terminal
                reply = httpx.get(
                    f"{login['GITEA_URL']}/api/v1/user/repos?token=s3cret",
                    auth=(login["GITEA_USERNAME"], login["GITEA_PASSWORD"]),
                )
                assert [each["name"] for each in reply.json()] == ["project"]
            finally:
                process.send_signal(how)
            log = process.stderr.read()
            assert process.wait(30) == 0, log
        assert "/api/v1/user/repos" in log and "s3cret" not in log and login["GITEA_PASSWORD"] not in log
        assert not credentials.parent.exists()

    def test_wrong_use(self, environ: dict[str, str], tmp_path: Path) -> None:
        command = [sys.executable, "-m", "openenv_gym.cli.main", "git-host", "--port", "0"]
        missing = [*command, "--import", str(tmp_path / "missing")]
        done = subprocess.run(missing, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr.endswith("There is no git repository at this path.\n")
