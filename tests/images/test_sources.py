"""What images are built from, and what of it reaches the engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openenv_gym.errors import UsageError
from openenv_gym.images.context import build_context, digest, secrets
from openenv_gym.images.sources import (
    BASE_IMAGE,
    ImageSources,
    base_sources,
    environment_sources,
    folder_sources,
    known_packages,
)

SECRETS = (
    ".env",
    ".netrc",
    ".ssh/config",
    "id_rsa",
    "keys/server.key",
    "keys/server.pem",
    "server/.env.local",
)


def copied(sources: ImageSources) -> list[str]:
    """What the Dockerfile copies from its context, patterns aside."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", sources.text, re.MULTILINE)
    return [path for line in lines for path in line.split() if not set(path) & set("*[")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An author's own project, laid out like upstream's."""
    folder = tmp_path / "maze_env"
    for name in (
        *SECRETS,
        "server/app.py",
        ".env.example",
        "vendored.whl",
        ".git/config",
        "__pycache__/a.pyc",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "keys/server.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    (folder / "keys/authority.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (folder / "openenv.yaml").write_text("name: maze_env\nport: 8000\n")
    (folder / "server/Dockerfile").write_text("ARG BASE_IMAGE=python:3.11-slim\nARG BUILD_MODE=in-repo\n")
    return folder


@pytest.mark.parametrize("package", ["base", *known_packages()])
def test_a_context_has_what_its_dockerfile_copies(package: str) -> None:
    sources = base_sources() if package == "base" else environment_sources(package)
    assert sources.takes_wheels and sources.declares("BASE_IMAGE")
    assert sources.stands_on_our_base == (package != "base")
    with build_context(sources) as context:
        assert copied(sources)
        for path in (*copied(sources), sources.dockerfile):
            assert (context / path).exists(), path
        assert not [path for path in context.rglob("*") if path.name in ("__pycache__", ".git", ".env")]
    assert not context.exists()


def test_an_environment_brings_those_that_it_needs() -> None:
    files = environment_sources("git_tasks_env").files
    assert set(files) == {"envs/git_env", "envs/git_tasks_env"}
    assert set(environment_sources("echo_env").files) == {"envs/echo_env"}


def test_images_are_called_as_manifests_say(project: Path) -> None:
    assert base_sources().tag == BASE_IMAGE
    assert environment_sources("git_tasks_env").tag == "git-tasks-env:latest"
    assert folder_sources(project).tag == "maze-env:latest"
    (project / "openenv.yaml").write_text("default_image: 'deep-maze:2'  # mine\n")
    assert folder_sources(project).tag == "deep-maze:2"


def test_an_authors_folder_is_its_own_context_without_secrets(project: Path) -> None:
    sources = folder_sources(project)
    assert sources.arguments == {"BUILD_MODE": "standalone"}, "only what the Dockerfile asks for"
    assert sources.labels["openenv-gym.manifest"].startswith("name: maze_env")
    with build_context(sources) as context:
        found = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    kept = {".env.example", "keys/authority.pem", "openenv.yaml", "vendored.whl"}
    assert found == {*kept, "server/Dockerfile", "server/app.py"}
    assert set(secrets(sources)) - {".ssh/config"} == {*SECRETS, ".ssh"} - {".ssh/config"}


def test_a_link_leads_nowhere_out_of_the_context(project: Path) -> None:
    outside = project.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (project / "linked").symlink_to(outside)
    with build_context(folder_sources(project)) as context:
        assert (context / "linked").is_symlink()


def test_a_digest_changes_with_what_is_built_and_with_nothing_else(project: Path) -> None:
    before = digest(folder_sources(project))
    (project / ".env").write_text("PASSWORD=1")
    (project / "__pycache__/b.pyc").write_text("")
    assert digest(folder_sources(project)) == before
    (project / "server/app.py").write_text("changed")
    assert digest(folder_sources(project)) != before


def test_wheels_and_certificates_are_there_when_given(project: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with (
        pytest.raises(UsageError, match="holds no wheels"),
        build_context(base_sources(), wheelhouse=wheels),
    ):
        pass
    (wheels / "numpy.whl").write_text("wheel")
    (wheels / "requirements.txt").write_text("numpy")
    certificates = tmp_path / "some.pem"
    certificates.write_text("certificates")
    with build_context(base_sources(), wheelhouse=wheels, authorities=certificates) as context:
        assert [path.name for path in (context / "wheelhouse").iterdir()] == ["numpy.whl"]
        assert (context / "ca-certificates.crt").read_text() == "certificates"


def test_what_cannot_be_built_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no environment package 'none_env'"):
        environment_sources("none_env")
    with pytest.raises(UsageError, match="no server/Dockerfile and no Dockerfile"):
        folder_sources(tmp_path)
    with (
        pytest.raises(UsageError, match="cannot be made"),
        build_context(base_sources(), authorities=tmp_path / "none.crt"),
    ):
        pass
