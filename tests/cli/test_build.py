"""`openenv-gym build`: what its arguments stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from openenv_gym.cli.build import sources_of
from openenv_gym.cli.main import main
from openenv_gym.images import environment_sources
from openenv_gym.registry.environments import BUILT_IN
from openenv_gym.registry.gymnasium_ids import gymnasium_id

SERVED = [entry for entry in BUILT_IN if entry.server is not None]


@pytest.mark.parametrize("entry", SERVED, ids=lambda entry: entry.name)
def test_every_environment_has_an_image_by_each_of_its_names(entry) -> None:
    package = entry.server.partition(".")[0]
    for name in (entry.name, entry.name.lower(), gymnasium_id(entry), package, package.replace("_", "-")):
        assert sources_of(name) == environment_sources(package)
    if entry.image is not None:
        assert sources_of(entry.name).tag == entry.image


def test_a_folder_is_meant_where_no_environment_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("maze_env", "echo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("FROM scratch\n")
    assert sources_of("maze_env").tag == "maze-env:latest"
    assert sources_of("echo") == environment_sources("echo_env")
    assert sources_of("./echo").files == {"": tmp_path / "echo"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["giit"], "did you mean 'git'?"),
        (["nothing-at-all"], "there are: 2048, atari, base, "),
        (["echo", "git", "--tag", "mine"], "--tag is for one image"),
        (["echo", "--wheelhouse", "/nonexistent"], "holds no wheels: fill it first, with --make-wheelhouse"),
    ],
)
def test_what_cannot_be_built_is_a_message(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 28.0\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["build", *arguments, "--base-image", "base:1"]) == 1
    assert message in capsys.readouterr().err


def test_the_legacy_builder_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$1" = buildx ] && exit 1\necho Docker version 28.2.2\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["build", "echo", "--base-image", "base:1", "--tag", "mine:1"]) == 0
    told = capsys.readouterr()
    assert told.out == "mine:1\n"
    assert f"{docker} has no BuildKit" in told.err


def test_a_build_argument_has_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["build", "echo", "--build-arg", "=value"])
    assert "'=value' is not NAME=VALUE" in capsys.readouterr().err


def test_the_machines_certificates_are_used_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "version) echo 28.0;;\n"
        'build) for last; do :; done; read line < "$last/ca-certificates.crt"; echo "$line";;\n'
        "esac\n"
    )
    docker.chmod(0o755)
    (tmp_path / "company.crt").write_text("COMPANY\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "company.crt"))
    assert main(["build", "echo", "--base-image", "base:1"]) == 0
    assert "COMPANY" in capsys.readouterr().err
