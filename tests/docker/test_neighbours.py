"""Containers on one machine share its kernel, which counts a user's processes in all of them together."""

from __future__ import annotations

import docker

from coding_env import CodeAction, CodingEnv
from openenv_gym.providers.docker import DockerProvider
from openenv_gym.providers.endpoint import ServerSpec
from tests.docker.inside import Inside
from tests.server.talk import wait_until

# More than a session may have by itself, and fewer than a container.
CROWD = """
import pathlib, threading, time
for _ in range(400):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
pathlib.Path("/tmp/crowded").touch()
time.sleep(600)
"""
STARTS_A_PROGRAM = "import subprocess; print(subprocess.run(['true']).returncode)"


def test_a_crowded_container_takes_no_processes_from_its_neighbours_sessions(
    docker_client: docker.DockerClient, coding_image: str
) -> None:
    crowded, server = DockerProvider(), DockerProvider()
    try:
        crowded.start(ServerSpec(image=coding_image, name="coding"))
        container = Inside(docker_client, crowded.name).container
        container.exec_run(["python", "-I", "-c", CROWD], detach=True)
        wait_until(lambda: container.exec_run(["test", "-e", "/tmp/crowded"]).exit_code == 0)
        endpoint = server.start(ServerSpec(image=coding_image, name="coding"))
        with CodingEnv(base_url=endpoint.base_url, token=endpoint.token).sync() as client:
            client.reset()
            observation = client.step(CodeAction(code=STARTS_A_PROGRAM)).observation
        assert (observation.stdout, observation.stderr) == ("0\n", "")
    finally:
        server.stop()
        crowded.stop()
