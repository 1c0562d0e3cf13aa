"""Examples and documents' blocks that need Docker, as a user would run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.docker.images import Images
from tests.documents import ROOT, block_parameters, check_block, light_documents
from tests.envs.git.checkouts import git, make_checkout
from tests.scenes import blocks_played_in, play
from tests.shown_code import Block

[_EXAMPLE] = ROOT.glob("examples/*_docker.py")


def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", _EXAMPLE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def latest(docker_client: docker.DockerClient, images: Images) -> Iterator[None]:
    """The images by the names that their builds give them."""
    names = ("echo", "git")
    for name in names:
        docker_client.images.get(images.environment(name)).tag(f"{name}-env", "latest")
    yield
    for name in names:
        docker_client.images.remove(f"{name}-env:latest")


@pytest.mark.usefixtures("latest")
def test_an_own_repository_is_cloned_in_a_container(
    docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    worktree = tmp_path / "my project"
    git("worktree", "add", "--quiet", "--detach", worktree, cwd=make_checkout(tmp_path / "elsewhere"))
    done = run(worktree)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "my-project: http://git.internal/gitea/my-project.git" in lines
    assert "Cloned to: /workspace/my-project" in lines
    assert "On branch main" in lines
    assert docker_client.containers.list(all=True, filters={"ancestor": "git-env:latest"}) == []


@pytest.mark.usefixtures("latest")
def test_without_one_there_is_a_sample() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert "Cloned to: /workspace/sample-project" in done.stdout.splitlines()


def test_what_is_no_repository_is_said_before_anything_starts(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}: fatal: not a git repository")


def test_a_missing_image_is_said_to_be_built(docker_client: docker.DockerClient) -> None:
    done = run()
    assert done.returncode == 1
    assert "the image 'git-env:latest' is not on the Docker engine" in done.stderr
    assert done.stderr.splitlines()[-1] == "The image git-env:latest is made by: openenv-gym build git"
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("latest")
@pytest.mark.parametrize("code", block_parameters(light_documents(), "python docker"))
def test_block_runs(code: str, tmp_path: Path) -> None:
    check_block(code, tmp_path)


@pytest.mark.usefixtures("latest")
@pytest.mark.parametrize(
    "block", blocks_played_in("tests/docker/test_shown_code.py"), ids=lambda block: block.place
)
def test_fragment_runs(block: Block) -> None:
    play(block)
