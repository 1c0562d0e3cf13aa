"""A browser in a container: with the defaults the container keeps pages in; Chromium's sandbox can be had."""

from __future__ import annotations

import docker
import pytest

from browsergym_env import BrowserGymEnv
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from tests.docker.images import Images

pytestmark = pytest.mark.timeout(1800)  # the image is built


@pytest.mark.parametrize(("security_opt", "sandboxed"), [((), False), (("seccomp=unconfined",), True)])
def test_chromiums_sandbox_needs_system_calls_that_docker_forbids(
    security_opt: tuple[str, ...], sandboxed: bool, images: Images, docker_client: docker.DockerClient
) -> None:
    provider = DockerProvider(security_opt=security_opt)
    spec = ServerSpec(image=images.environment("browsergym"))
    with BrowserGymEnv(provider=provider, spec=spec).sync() as client:
        client.reset(task_name="click-button", seed=3)
        running = docker_client.containers.get(provider.name).top()["Processes"]
    commands = [" ".join(process) for process in running]
    browsers = [command for command in commands if "/chromium-headless-shell" in command]
    assert any("--type=renderer" in browser for browser in browsers)
    assert any("--no-sandbox" in browser for browser in browsers) is not sandboxed
