"""Run servers as hardened containers of a Docker engine, or as services of its swarm."""

from openenv_gym.providers.docker.docker_provider import DockerProvider, LocalDockerProvider
from openenv_gym.providers.docker.swarm_provider import DockerSwarmProvider, SwarmProvider

__all__ = ["DockerProvider", "DockerSwarmProvider", "LocalDockerProvider", "SwarmProvider"]
