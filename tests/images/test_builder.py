"""Which `docker` program builds, and what it is told."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from openenv_gym.errors import ImageBuildError, ProviderError, UsageError
from openenv_gym.images import ImageBuilder, ImageSources, base_sources, environment_sources
from openenv_gym.images.docker_program import DockerProgram, find_docker

BUILDX = 'case "$1" in buildx) exit 0;; esac'
OLD = 'case "$1" in buildx) exit 1;; --version) echo "Docker version 20.10.24+dfsg1, build 297e128";; esac'
NEW = 'case "$1" in buildx) exit 1;; --version) echo "Docker version 28.2.2, build e6534b4";; esac'
OTHER = 'case "$1" in buildx) exit 125;; --version) echo "podman version 4.3.1";; esac'


def program(folder: Path, script: str) -> Path:
    """A program `docker` that answers as its script says, and notes what it was told."""
    folder.mkdir(parents=True)
    file = folder / "docker"
    note = f'echo "$DOCKER_BUILDKIT $*" >> {folder}/told\n'
    file.write_text(f"#!/bin/sh\n{note}{script}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("scripts", "chosen", "has_buildkit"),
    [
        ([NEW, OLD], 1, True),
        ([NEW, BUILDX], 1, True),
        ([OLD, BUILDX], 0, True),
        ([NEW], 0, False),
        ([OTHER, NEW], 0, False),
    ],
)
def test_the_first_program_that_can_use_buildkit_builds(
    scripts: list[str], chosen: int, has_buildkit: bool, tmp_path: Path
) -> None:
    files = [program(tmp_path / str(number), script) for number, script in enumerate(scripts)]
    path = os.pathsep.join(["/nonexistent", *(str(file.parent) for file in files)])
    found = find_docker({"PATH": path})
    assert found == DockerProgram(str(files[chosen]), has_buildkit)
    assert found.environ["DOCKER_BUILDKIT"] == str(int(has_buildkit))


def test_no_program_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not on PATH"):
        find_docker({"PATH": str(tmp_path)})


def test_no_engine_is_a_message(tmp_path: Path) -> None:
    script = 'echo "Cannot connect to the Docker daemon at unix:///nowhere." >&2; exit 1'
    builder = ImageBuilder(DockerProgram(str(program(tmp_path / "bin", script)), True))
    with pytest.raises(ProviderError, match=r"no Docker engine answers .*nowhere"):
        builder.build(base_sources())


def built(tmp_path: Path, *, has_buildkit: bool = True, **options: object) -> str:
    """The command line of a build."""
    file = program(tmp_path / "bin", 'echo 20.10; echo "on standard error" >&2')
    arguments = options.pop("arguments", None)
    output = io.StringIO()
    builder = ImageBuilder(DockerProgram(str(file), has_buildkit), output=output, **options)  # type: ignore[arg-type]
    tag = builder.build(
        environment_sources("echo_env"), tag="mine:1", base_image="base:2", arguments=arguments
    )  # type: ignore[arg-type]
    assert tag == "mine:1"
    assert "on standard error" in output.getvalue()
    told = (tmp_path / "bin/told").read_text()
    return told[told.index(" build ") - 1 :].replace("\n", " ")  # a label has lines


def test_a_build_is_told_its_base_and_arguments(tmp_path: Path) -> None:
    line = built(tmp_path, arguments={"PIP_INDEX_URL": "https://pip.example"}, platform="linux/arm64")
    assert line.startswith("1 build --tag mine:1 --file /")
    assert (
        " --build-arg BASE_IMAGE=base:2 " in line
        and " --build-arg PIP_INDEX_URL=https://pip.example " in line
    )
    assert " --label openenv-gym.base-image=base:2" in line
    assert " --progress plain" in line and " --platform linux/arm64" in line
    assert " --network" not in line and " --no-cache" not in line


def test_the_legacy_builder_gets_only_what_it_knows(tmp_path: Path) -> None:
    line = built(tmp_path, has_buildkit=False, no_cache=True)
    assert line.startswith("0 build ") and " --progress" not in line and " --no-cache" in line
    assert " --force-rm" in line, "a step that fails leaves no container"


def test_with_a_wheelhouse_there_is_no_network(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "numpy.whl").write_text("wheel")
    assert " --network none" in built(tmp_path, wheelhouse=wheels)


def test_with_a_wheelhouse_a_network_may_be_named_for_what_is_no_wheel(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "numpy.whl").write_text("wheel")
    assert " --network host" in built(tmp_path, wheelhouse=wheels, network="host")


def test_the_base_is_told_of_proxies_but_not_of_what_its_dockerfile_lacks(tmp_path: Path) -> None:
    script = 'case "$1" in version) echo 20.10;; image) exit 1;; esac'
    builder = ImageBuilder(DockerProgram(str(program(tmp_path / "bin", script)), True))
    builder.build_base_if_stale(
        {"HTTPS_PROXY": "http://proxy.example", "SYSTEM_PACKAGES": "", "PIP_INDEX_URL": "https://pip.example"}
    )
    told = (tmp_path / "bin/told").read_text()
    assert " --build-arg HTTPS_PROXY=http://proxy.example" in told
    assert " --build-arg PIP_INDEX_URL=https://pip.example" in told
    assert "SYSTEM_PACKAGES" not in told


def test_a_dockerfile_that_cannot_do_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\n")
    plain = ImageSources("plain:1", "Dockerfile", {"": tmp_path})
    docker = DockerProgram("/nonexistent/docker", True)
    with pytest.raises(UsageError, match="no ARG BASE_IMAGE"):
        ImageBuilder(docker).build(plain, base_image="base:2")
    with pytest.raises(UsageError, match="copies no wheelhouse"):
        ImageBuilder(docker, wheelhouse=tmp_path).build(plain)


def test_a_failed_build_shows_its_last_lines(tmp_path: Path) -> None:
    script = 'case "$1" in version) echo 20.10;; *) seq 1000; echo "no space left" >&2; exit 3;; esac'
    builder = ImageBuilder(DockerProgram(str(program(tmp_path / "bin", script)), True))
    with pytest.raises(
        ImageBuildError, match=r"(?s)base:latest could not be built \(status 3\).*no space"
    ) as caught:
        builder.build(base_sources())
    assert len(caught.value.log_tail.splitlines()) == 40
