"""Build container images of environments: this project's, and any folder's that has a Dockerfile."""

from openenv_gym.images.builder import ImageBuilder
from openenv_gym.images.sources import (
    ImageSources,
    base_sources,
    environment_sources,
    folder_sources,
    known_packages,
)
from openenv_gym.images.wheelhouse import fill_wheelhouse

__all__ = [
    "ImageBuilder",
    "ImageSources",
    "base_sources",
    "environment_sources",
    "fill_wheelhouse",
    "folder_sources",
    "known_packages",
]
