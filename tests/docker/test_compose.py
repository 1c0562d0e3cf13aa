"""The compose files of ``servers/``: replicas of an environment, and a git host that several share."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import gymnasium
import pytest

import openenv_gym  # noqa: F401 - registers the ids
from git_env import GitAction, GitEnv
from openenv_gym.providers import ServerSpec
from openenv_gym.providers.docker import DockerProvider
from tests.docker.compose import ComposeProject, free_ports, wait_until_healthy
from tests.docker.images import Images
from tests.envs.git.checkouts import git, make_checkout
from tests.scenes import blocks_played_in, play

Start = Callable[..., ComposeProject]
_TOKEN = "a-token-of-the-servers"
_HARDENING = (
    *("CapDrop", "CapAdd", "SecurityOpt", "Privileged", "ReadonlyRootfs", "Tmpfs", "Init", "IpcMode"),
    *("Memory", "MemorySwap", "CpuPeriod", "CpuQuota", "NanoCpus", "PidsLimit", "ShmSize"),
    *("Ulimits", "LogConfig"),
)


@pytest.fixture
def project(docker_client: docker.DockerClient, tmp_path: Path) -> Iterator[Start]:
    """Make a project of a folder of ``servers/``; its end leaves nothing."""
    made: list[ComposeProject] = []

    def make(name: str, **settings: str) -> ComposeProject:
        made.append(ComposeProject(docker_client, tmp_path, name, settings))
        return made[-1]

    yield make
    for one in made:
        assert one.down() == []


def hardening(container: docker.models.containers.Container) -> dict[str, Any]:
    """What the engine was told about a container's limits, by one spelling of sizes and of nothing."""
    told = json.dumps({name: container.attrs["HostConfig"][name] or None for name in _HARDENING})
    in_bytes = re.sub(r"\b(\d+)m\b", lambda size: str(int(size[1]) << 20), told)
    return dict(json.loads(in_bytes))


def test_replicas_of_an_environment(
    project: Start, docker_client: docker.DockerClient, echo_image: str
) -> None:
    ports = free_ports(3)
    servers = project(
        "environment",
        IMAGE=echo_image,
        REPLICAS="3",
        PORTS=f"{ports[0]}-{ports[-1]}",
        MAX_CONCURRENT_ENVS="2",
        OPENENV_GYM_TOKEN=_TOKEN,
    )
    servers.compose("up", "--detach")
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    wait_until_healthy(*urls)
    envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=6, base_url=urls, token=_TOKEN)
    envs.reset(seed=1)
    _, rewards, *_ = envs.step([{"message": "0123456789"}] * 6)
    assert rewards.tolist() == pytest.approx([1.0] * 6)
    envs.close()
    assert _TOKEN not in servers.arguments
    replicas = servers.containers("server")
    assert len(replicas) == 3
    with DockerProvider() as provider:
        provider.start(ServerSpec(image=echo_image))
        hardened = hardening(docker_client.containers.get(provider.name))
    for replica in replicas:
        assert hardening(replica) == hardened


def test_agents_work_on_a_shared_git_host(project: Start, images: Images, git_image: str) -> None:
    host_port, port = free_ports(2)
    stand_in = images.derived("gitea", git_image, Path(__file__).with_name("gitea_stand_in"))
    servers = project(
        "gitea",
        GITEA_IMAGE=stand_in,
        GITEA_URL=f"http://127.0.0.1:{host_port}",
        GITEA_PORT=str(host_port),
        GIT_ENV_IMAGE=git_image,
        PORTS=str(port),
        OPENENV_GYM_TOKEN=_TOKEN,
    )
    checkout = make_checkout(servers.folder / "repositories" / "project", commits=3)
    start = git("rev-parse", "HEAD~1", cwd=checkout)

    told = servers.run("./setup")
    settings = servers.settings
    assert re.fullmatch("[0-9a-f]{40}", settings["GITEA_TOKEN"])
    assert len(settings["GITEA_PASSWORD"]) == 32
    assert stat.S_IMODE(servers.env_file.stat().st_mode) == 0o600
    told += servers.run("./setup")
    assert servers.settings == settings  # it does only what is missing
    assert "imported gitea/project\n" in servers.run("./migrate", "/repositories/project")
    assert "gitea/project is already there\n" in servers.run("./migrate", "/repositories/project")

    servers.set(TASK_REPOS=f"""'{{"fix": ["project", "{start}"]}}'""")
    told += servers.compose("up", "--detach")
    url = f"http://127.0.0.1:{port}"
    wait_until_healthy(url)
    with GitEnv(base_url=url, token=_TOKEN).sync() as env:
        result = env.reset(task_id="fix")
        assert result.observation.output == "Cloned to: /workspace/project"
        result = env.step(GitAction(action_type="execute_git_command", command="rev-parse HEAD"))
        assert result.observation.output.strip() == start
        result = env.step(GitAction(action_type="list_repos"))
        repositories = {repo["name"]: repo["clone_url"] for repo in result.observation.repos}
        assert repositories["project"] == "http://gitea:3000/gitea/project.git"
        result = env.step(GitAction(action_type="clone_repo", repo_name="project", target_dir="again"))
        assert result.observation.output == "Cloned to: /workspace/again"
        assert env.state().gitea_ready

    def clone(names: Mapping[str, Any]) -> None:
        names["env"].reset()
        result = names["env"].step(GitAction(action_type="clone_repo", repo_name="project"))
        assert result.observation.output == "Cloned to: /workspace/project"

    [block] = blocks_played_in("tests/docker/test_compose.py")
    password = settings["GITEA_PASSWORD"]
    play(block, names={"password": password}, replaced={"git-env:latest": git_image}, check=clone)

    for secret in (settings["GITEA_TOKEN"], settings["GITEA_PASSWORD"], _TOKEN):
        assert secret not in servers.arguments + told
