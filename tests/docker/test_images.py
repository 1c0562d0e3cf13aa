"""Images as they are built: small, nobody's, healthy, and without a trace of how they were made."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator

import docker
import pytest

from tests.client.patience import wait_until
from tests.docker.images import Images

MEBIBYTE = 1 << 20
# What the server's base adds to the Python that it stands on: 97 MB, most of it numpy, pydantic and uvloop.
MOST_OF_THE_BASE = 110 * MEBIBYTE
MOST_OF_AN_ENVIRONMENT = 2 * MEBIBYTE
SECOND = 1_000_000_000  # of the engine's nanoseconds


@pytest.fixture
def container(
    docker_client: docker.DockerClient, echo_image: str
) -> Iterator[docker.models.containers.Container]:
    """The Echo image, run as hardened containers are, with its health looked at each second."""
    health = {"interval": SECOND, "timeout": 10 * SECOND, "retries": 60}
    running = docker_client.containers.run(
        echo_image,
        detach=True,
        read_only=True,
        tmpfs={"/tmp": ""},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        healthcheck=health,
    )
    yield running
    running.remove(force=True, v=True)


def test_its_own_healthcheck_finds_it_healthy(container: docker.models.containers.Container) -> None:
    def is_healthy() -> bool:
        container.reload()
        return bool(container.attrs["State"]["Health"]["Status"] == "healthy")

    assert "healthcheck.py" in str(container.attrs["Config"]["Healthcheck"]["Test"])
    wait_until(is_healthy, 60)


def test_it_is_nobodys_and_has_no_pip(container: docker.models.containers.Container) -> None:
    assert container.exec_run("id -u").output.strip() == b"65534"
    assert container.exec_run(["python", "-c", "import pip"]).exit_code == 1
    assert (
        container.exec_run(["sh", "-c", "find / -name '*.whl' -not -path '/usr/share/*' 2>/dev/null"]).output
        == b""
    )


def test_a_start_compiles_nothing(container: docker.models.containers.Container) -> None:
    code = (
        "import importlib.util as u, openenv_gym.server.app as a, echo_env.server.app as b, numpy as c, os;"
        "print([os.path.exists(u.cache_from_source(m.__file__)) for m in (a, b, c)])"
    )
    assert container.exec_run(["python", "-c", code]).output == b"[True, True, True]\n"


def test_images_are_small(docker_client: docker.DockerClient, images: Images) -> None:
    python, base, echo = (
        docker_client.images.get(tag).attrs["Size"]
        for tag in (images.base(), images.server_base(), images.environment("echo"))
    )
    assert base - python < MOST_OF_THE_BASE
    assert echo - base < MOST_OF_AN_ENVIRONMENT


def test_no_layer_holds_a_wheel_or_what_the_build_was_given(
    docker_client: docker.DockerClient, echo_image: str
) -> None:
    image = docker_client.images.get(echo_image)
    assert not [layer for layer in image.history() if "wheelhouse" in layer["CreatedBy"]]
    names = names_in_layers(image)
    assert "opt/server/bin/python" in names
    assert not [name for name in names if name.startswith("build/") or "/pip/" in name]
    of_python = ("usr/share/python-wheels/", "usr/local/lib/python")  # kept for `venv`, and not ours
    assert not [name for name in names if name.endswith(".whl") and not name.startswith(of_python)]


def names_in_layers(image: docker.models.images.Image) -> set[str]:
    """Every path that a layer holds, also where a later one hides it."""
    names = set()
    with tempfile.TemporaryFile() as file:
        file.writelines(image.save())
        file.seek(0)
        with tarfile.open(fileobj=file) as saved:
            for member in saved:
                if member.name.endswith("layer.tar"):
                    with tarfile.open(fileobj=saved.extractfile(member)) as layer:
                        names.update(name.removeprefix("./") for name in layer.getnames())
    return names
