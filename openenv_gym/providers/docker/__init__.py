"""Run servers as hardened containers of a Docker engine."""

from openenv_gym.providers.docker.docker_provider import DockerProvider, LocalDockerProvider

__all__ = ["DockerProvider", "LocalDockerProvider"]
