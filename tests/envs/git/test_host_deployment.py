"""servers/gitea: the set-up and migrate commands against a real host, and the compose file's shape."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from git_env.host import GitHost, HostSettings
from tests.envs.git.checkouts import make_checkout

_GITEA = Path(__file__).parents[3] / "servers" / "gitea"
_PASSWORD = "a p@ssword $(touch x) `y` #z"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("allowed") / "project")


@pytest.fixture(scope="module")
def host(source: Path) -> Iterator[GitHost]:
    with GitHost(password=_PASSWORD, settings=HostSettings(allow_paths=(source.parent,))) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path, host: GitHost) -> Path:
    """A copy of servers/gitea with an .env for the host, and a `curl` that notes its arguments."""
    shutil.copytree(_GITEA, tmp_path / "gitea")
    (tmp_path / "gitea" / ".env").write_text(
        f"# a comment\nGITEA_URL={host.url}/\nGITEA_USERNAME={host.username}\n"
        f"GITEA_PASSWORD='{_PASSWORD}'\nGITEA_TOKEN=\nOTHER=$(touch {tmp_path}/ran)\n"
    )
    curl = tmp_path / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/arguments\nexec {shutil.which("curl")} "$@"\n'
    )
    curl.chmod(0o755)
    return tmp_path / "gitea"


@pytest.fixture
def command(folder: Path) -> Command:
    environ = {"PATH": f"{folder.parent}/bin:{os.environ['PATH']}", "HOME": str(folder)}

    def run(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        name, *rest = map(str, arguments)
        return subprocess.run(
            [str(folder / name), *rest], env=environ | more, capture_output=True, text=True, timeout=60
        )

    return run


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_setup_then_migrate(
    command: Command, folder: Path, host: GitHost, source: Path, tmp_path: Path
) -> None:
    first = command("setup", "--external")
    assert first.returncode == 0, first.stderr
    token = settings(folder)["GITEA_TOKEN"]
    assert re.fullmatch("[0-9a-f]{40}", token)
    assert settings(folder)["GITEA_PASSWORD"] == f"'{_PASSWORD}'"
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    again = command("setup", "--external")
    assert again.returncode == 0 and settings(folder)["GITEA_TOKEN"] == token

    done = command("migrate", source)
    assert (done.returncode, done.stdout) == (0, "imported gitea/project\n"), done.stderr
    done = command("migrate", source)
    assert (done.returncode, done.stdout) == (0, "gitea/project is already there\n")
    done = command("migrate", source, "renamed")
    assert done.returncode == 0
    reply = httpx.get(f"{host.url}/api/v1/user/repos", auth=(host.username, host.password))
    assert {"project", "renamed"} <= {each["name"] for each in reply.json()}

    noted = (tmp_path / "arguments").read_text() + first.stdout + first.stderr + done.stdout
    assert token not in noted and "p@ssword" not in noted and "Authorization" not in noted
    assert not (tmp_path / "ran").exists()  # .env is read, not executed


def test_migrate_without_a_token_uses_the_password(command: Command, source: Path) -> None:
    done = command("migrate", source, "by-password")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/etc", "You are not allowed to import local repositories from this path."),
        ('http://x/"quoted\\#y', "clone_addr"),
        ("ext::sh -c 'touch x'", "clone_addr"),
        ("a\nb", "control characters"),
    ],
)
def test_migrate_refusals(command: Command, address: str, message: str) -> None:
    done = command("migrate", address, "name", SOURCE_TOKEN="s3cret\\")
    assert done.returncode == 1
    assert done.stderr.startswith("migrate: ") and message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "s3cret" not in done.stderr


def test_migrate_says_what_is_wrong(command: Command) -> None:
    assert "usage" in command("migrate").stderr
    assert "no answer" in command("migrate", "/x", GITEA_URL="http://127.0.0.1:1").stderr
    wrong = command("migrate", "/x", GITEA_PASSWORD="other")
    assert wrong.stderr == "migrate: invalid username, password or token\n"
    assert "quotes" in command("migrate", "/x", GITEA_PASSWORD='a"b').stderr


def test_setup_says_what_is_wrong(command: Command) -> None:
    assert "unknown argument" in command("setup", "--other").stderr
    wrong = command("setup", "--external", GITEA_PASSWORD="other")
    assert wrong.returncode == 1 and "refuses GITEA_USERNAME and GITEA_PASSWORD" in wrong.stderr


def test_setup_without_compose_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "base64", "basename", "chmod", "dirname", "grep", "head", "mv", "tr"):
        (programs / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        [str(folder / "setup")], env={"PATH": str(programs)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "neither 'docker compose' nor docker-compose is there" in done.stderr


def test_the_example_settings_are_those_that_are_read() -> None:
    names = set(re.findall(r"^#?([A-Z_]+)=", (_GITEA / ".env.example").read_text(), re.MULTILINE))
    read = re.search(r"((?:GITEA_\w+ \| )+GITEA_\w+)\)", (_GITEA / "api.sh").read_text())
    assert read is not None
    by_commands = set(read[1].split(" | "))
    composed = [_GITEA / "docker-compose.yml", _GITEA.parent / "hardened.yml"]
    by_compose = {name for file in composed for name in re.findall(r"\$\{([A-Z_]+)", file.read_text())}
    by_servers = {"OPENENV_GYM_TOKEN", "TASK_REPOS", "COMPOSE_PROJECT_NAME"}
    rarely = {"GITEA_REQUIRE_SIGNIN", "ENV_FILE"}
    assert names == (by_commands | by_compose | by_servers) - rarely


def test_the_compose_file() -> None:
    compose = yaml.safe_load((_GITEA / "docker-compose.yml").read_text())
    gitea = compose["services"]["gitea"]
    assert re.search(r":\d+\.\d+\.\d+-rootless\}$", gitea["image"])  # pinned
    assert "/api/healthz" in gitea["healthcheck"]["test"][-1]
    environment = gitea["environment"]
    assert environment["GITEA__security__INSTALL_LOCK"] == "true"
    assert environment["GITEA__service__DISABLE_REGISTRATION"] == "true"
    assert not any("PASS" in name or "SECRET" in name for name in environment)
    for service in compose["services"].values():
        assert service["extends"] == {"file": "../hardened.yml", "service": "server"}
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
