"""`openenv-gym build` on an engine: an environment's image, and the base that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from openenv_gym.cli.main import main
from openenv_gym.errors import ImageBuildError
from openenv_gym.images import ImageBuilder, base_sources, folder_sources
from openenv_gym.images.builder import BASE_LABEL, SOURCE_LABEL
from openenv_gym.images.sources import BASE_IMAGE
from tests.docker.images import Images
from tests.docker.ingredients import wheels


@pytest.fixture
def tag(images: Images, docker_client: docker.DockerClient) -> Iterator[str]:
    """A tag, which is removed with all that stands on it."""
    name = images.tag("built")
    yield name
    docker_client.images.remove(name, force=True)


def test_the_command_builds_what_runs(
    images: Images, tag: str, docker_client: docker.DockerClient, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--tag", tag, "--base-image", images.server_base(), "--wheelhouse", str(wheels())]
    assert main(["build", "echo", *arguments]) == 0
    told = capfd.readouterr()
    assert told.out == f"{tag}\n"
    assert "echo_env" in told.err and "[build " in told.err, "BuildKit's progress"
    config = docker_client.images.get(tag).attrs["Config"]
    assert config["User"] == "65534:65534"
    assert config["Cmd"] == ["echo_env.server.app:app"]
    assert config["Labels"][BASE_LABEL] == images.server_base()
    code = "import echo_env.server.app, openenv_gym; print(openenv_gym.__version__)"
    shown = docker_client.containers.run(
        tag, ["-c", code], entrypoint="python", remove=True, network_mode="none"
    )
    assert shown == b"0.1.0\n"


def test_a_failed_build_shows_why(images: Images, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo it went well, and then; exit 7\n"
    )
    with pytest.raises(ImageBuildError, match="it went well, and then") as caught:
        ImageBuilder().build(folder_sources(tmp_path), base_image=images.base())
    assert "7" in caught.value.log_tail


def test_the_base_is_built_when_it_is_missing_or_old_and_keeps_its_own_base(
    images: Images, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    builder = ImageBuilder(wheelhouse=wheels())
    builder.build(base_sources(), base_image=images.base())
    try:
        first = docker_client.images.get(BASE_IMAGE)
        assert builder.build_base_if_stale() == BASE_IMAGE
        assert docker_client.images.get(BASE_IMAGE).id == first.id
        (tmp_path / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nLABEL {SOURCE_LABEL}=older\n")
        docker_client.images.build(path=str(tmp_path), tag=BASE_IMAGE, rm=True)
        builder.build_base_if_stale()
        again = docker_client.images.get(BASE_IMAGE)
        assert again.labels == first.labels
        assert again.labels[BASE_LABEL] == images.base()
    finally:
        docker_client.images.remove(BASE_IMAGE, force=True)
