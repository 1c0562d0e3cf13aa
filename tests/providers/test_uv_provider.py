"""Projects run by uv: from folders and repositories, and what keeps them from it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.errors import ProviderError, StartupError, UsageError
from openenv_gym.providers import Endpoint, ServerSpec
from openenv_gym.providers.uv import UVProvider, _find_uv
from openenv_gym.providers.uv_program import find_app
from tests.providers.projects import CONSTRAINTS, commit, make_project
from tests.scenes import blocks_played_in, play

ROOT = Path(__file__).parents[2]
SPEC = ServerSpec(name="tiny project")


@pytest.fixture(autouse=True)
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CONSTRAINT", str(CONSTRAINTS))


def facts_of(endpoint: Endpoint) -> dict[str, Any]:
    with urllib.request.urlopen(endpoint.base_url + "/facts", timeout=60) as reply:
        return json.load(reply)


@pytest.mark.parametrize(
    "block", blocks_played_in("tests/providers/test_uv_provider.py"), ids=lambda block: block.place
)
def test_an_environment_of_this_repository_is_played_as_the_readme_says(block):
    play(block)


def test_a_folder_is_served_in_an_environment_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    folder = make_project(tmp_path / "tiny")
    before = set(folder.rglob("*"))
    with UVProvider(folder) as provider:
        facts = facts_of(provider.start(ServerSpec(environ={"COLOR": "green"})))
        assert Path(facts["prefix"]).exists()
    assert facts["name"] == "tiny_env.server.app"
    assert facts["cwd"] == str(folder)
    assert facts["color"] == "green"
    assert not Path(facts["prefix"]).exists(), "the environment is left behind"
    assert Path(facts["prefix"]) != Path(sys.prefix)
    assert {path.name for path in {*folder.rglob("*")} - before if path.suffix != ".pyc"} <= {"__pycache__"}


@pytest.mark.parametrize("reference", ["", "@trunk", "@{commit}"])
def test_a_git_repository_is_served(tmp_path, reference):
    make_project(tmp_path / "repository/envs/tiny")
    identity = commit(tmp_path / "repository")
    url = f"file://{tmp_path}/repository{reference.format(commit=identity)}#subdirectory=envs/tiny"
    with UVProvider(url) as provider:
        assert facts_of(provider.start(SPEC))["name"] == "tiny_env.server.app"


def test_a_project_that_is_no_package_is_served_as_it_lies(tmp_path):
    folder = make_project(tmp_path / "tiny", script=False, package=False)
    with UVProvider(folder) as provider:
        assert facts_of(provider.start(SPEC))["name"] == "tiny_env.server.app"
    assert not (folder / "uv.lock").exists()


def test_a_lock_file_is_kept_to(tmp_path):
    folder = make_project(tmp_path / "tiny", package=False, dependencies=())
    subprocess.run(
        [_find_uv(), "lock", "--offline", "--project", str(folder)], check=True, capture_output=True
    )
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace("dependencies = []", 'dependencies = ["uvicorn"]'))
    locked = (folder / "uv.lock").read_text()
    with pytest.raises(StartupError, match="depends on nothing that serves it"):
        UVProvider(folder).start(SPEC)
    assert (folder / "uv.lock").read_text() == locked


@pytest.mark.parametrize(
    ("manifest", "script", "app"),
    [
        ("name: x\napp: server.app:app\nport: 8000\n", None, "server.app:app"),
        ('app: "server.app:app"  # here\n', "tiny_env.server.app:main", "tiny_env.server.app:app"),
        ("app: server.app:application\n", "tiny_env.server.app:main", "tiny_env.server.app:application"),
        ("app: other:app\n", "tiny_env.server.app:main", "other:app"),
        ("app: er.app:app\n", "server.app:main", "er.app:app"),
        (None, "tiny_env.server.app:main", "tiny_env.server.app:app"),
        ("client:\n  app: no.app:app\n", "a.b:main", "a.b:app"),
        ("name: x\n", None, None),
        (None, None, None),
    ],
)
def test_the_app_is_what_the_project_says(manifest, script, app):
    assert find_app(manifest, script) == app


def test_an_app_that_is_named_comes_first(tmp_path):
    folder = make_project(tmp_path / "tiny", manifest="app: no_such:app\n", package=False)
    with UVProvider(folder, app="tiny_env.server.app:app") as provider:
        assert facts_of(provider.start(ServerSpec(app="no_such_either:app")))["name"] == "tiny_env.server.app"


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no pyproject\.toml"):
        UVProvider(tmp_path).start(SPEC)
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(UsageError, match="cannot be read"):
        UVProvider(tmp_path).start(SPEC)


@pytest.mark.parametrize(("manifest", "has"), [(None, "no openenv.yaml"), ("name: x\n", "without 'app:")])
def test_a_project_that_names_no_app_is_refused(tmp_path, manifest, has):
    folder = make_project(tmp_path / "tiny", script=False, manifest=manifest)
    with pytest.raises(UsageError, match=f"{has}.*no command 'server'"):
        UVProvider(folder).start(SPEC)


def test_a_repository_that_names_no_app_is_reported(tmp_path):
    make_project(tmp_path / "tiny", script=False, manifest=None)
    commit(tmp_path / "tiny")
    with pytest.raises(StartupError, match="names no app"):
        UVProvider(f"git+file://{tmp_path}/tiny").start(SPEC)


def test_what_cannot_be_resolved_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_OFFLINE", "1")
    folder = make_project(tmp_path / "tiny", dependencies=("openenv-gym-no-such-thing",))
    with pytest.raises(StartupError, match="tiny project could not be installed") as caught:
        UVProvider(folder).start(SPEC)
    assert "openenv-gym-no-such-thing was not found" in caught.value.log_tail


def test_a_repository_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(StartupError, match="could not be installed"):
        UVProvider(f"file://{tmp_path}/nowhere").start(SPEC)


def test_an_installation_that_hangs_meets_its_deadline(tmp_path):
    folder = make_project(tmp_path / "tiny")
    (folder / "backend.py").write_text("import time\ntime.sleep(600)\n")
    text = (folder / "pyproject.toml").read_text()
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(backend + text[text.index("[project]") :])
    with pytest.raises(StartupError, match="not installed within 1 s"):
        UVProvider(folder, install_timeout=1.0).start(SPEC)


def test_a_project_without_a_server_is_reported(tmp_path):
    folder = make_project(tmp_path / "tiny", dependencies=(), package=False)
    with pytest.raises(StartupError, match="depends on nothing that serves it"):
        UVProvider(folder).start(SPEC)


def test_uv_is_found_beside_this_python_and_asked_for_if_missing(tmp_path, monkeypatch):
    folder = make_project(tmp_path / "tiny")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ProviderError, match="pip install uv"):
        UVProvider(folder).start(SPEC)
    (tmp_path / "uv").write_text("#!/bin/sh\necho this is not uv >&2\nexit 5\n")
    (tmp_path / "uv").chmod(0o755)
    program = UVProvider(folder)._program(SPEC)
    assert program.command[0] == str(tmp_path / "uv")


@pytest.mark.parametrize(
    ("project", "requirement"),
    [
        ("https://github.com/owner/envs", "git+https://github.com/owner/envs"),
        ("git+https://host/envs@v1#subdirectory=a", "git+https://host/envs@v1#subdirectory=a"),
        ("git@github.com:owner/envs.git", "git+ssh://git@github.com/owner/envs.git"),
        ("ssh://git@host/envs", "git+ssh://git@host/envs"),
    ],
)
def test_urls_of_repositories(project, requirement):
    assert f"--with={requirement}" in UVProvider(project)._program(SPEC).command


def test_a_password_in_a_url_is_refused_without_showing_it():
    with pytest.raises(UsageError, match="carries a password") as caught:
        UVProvider("https://me:hunter2@host/envs")
    assert "hunter2" not in str(caught.value)
