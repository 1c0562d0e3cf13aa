"""An image by OpenEnv's own conventions, with OpenEnv's own server in it, built and run by what is ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import docker
import pytest

from openenv_gym import GenericEnvClient
from openenv_gym.images import ImageBuilder, folder_sources
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from tests.docker.images import Images
from tests.docker.ingredients import openenv_tarball

DIAL = Path(__file__).parent / "upstream_dial"
# What OpenEnv's base image is: Python, curl, and openenv with all that it needs.
UPSTREAM_BASE = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ADD openenv.tar /
ENV PYTHONPATH=/packages
RUN echo 'exec python3 -m uvicorn "$@"' > /usr/local/bin/uvicorn && chmod +x /usr/local/bin/uvicorn
"""


@pytest.fixture(scope="module")
def dial_image(images: Images, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tag of the dial's image, built as a user builds a folder of their own."""
    folder = tmp_path_factory.mktemp("upstream")
    shutil.copyfile(openenv_tarball(), folder / "openenv.tar")
    (folder / "Dockerfile").write_text(UPSTREAM_BASE)
    base = images.derived("upstream-base", images.base(), folder)
    return ImageBuilder(network="none").build(
        folder_sources(DIAL), tag=images.tag("dial-env"), base_image=base
    )


def test_it_runs_hardened_and_our_client_plays(dial_image: str, docker_client: docker.DockerClient) -> None:
    built = docker_client.images.get(dial_image)
    assert "curl" in str(built.attrs["Config"]["Healthcheck"]) and not built.attrs["Config"]["User"]
    with DockerProvider(ready_timeout=200) as provider:
        endpoint = provider.start(ServerSpec(image=dial_image, name="dial"))
        with GenericEnvClient(base_url=endpoint.base_url, token=endpoint.token).sync() as client:
            assert client.reset(seed=4).observation["position"] == 4
            result = client.step({"turn": 3})
            assert (result.observation["position"], result.reward, result.done) == (7, 1.0, True)
            assert client.state()["step_count"] == 1
        container = docker_client.containers.get(provider.name)
        assert container.exec_run("cat /app/env/built").output == b"standalone upstream_dial\n"
        assert container.exec_run("id -u").output == b"65534\n", "what would be root is nobody"
