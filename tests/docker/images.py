"""Builds the images under test on an engine, each once however many processes ask."""

from __future__ import annotations

from pathlib import Path

import docker
from docker.errors import ImageNotFound

from openenv_gym.images import ImageBuilder, base_sources, environment_sources, folder_sources
from tests.docker.ingredients import SMALL, Ingredients, locked


class Images:
    """The images of a run of the tests; their tags are its own.

    Args:
        client: The engine to build them on.
        run: What tells this run from others on the same engine.
        locks: A folder that all processes of this run share.
        ingredients: What they are made of.
    """

    def __init__(
        self, client: docker.DockerClient, run: str, locks: Path, ingredients: Ingredients = SMALL
    ) -> None:
        self._client = client
        self._run = run
        self._locks = locks / ingredients.name
        self._ingredients = ingredients

    def base(self) -> str:
        """The tag of a small Debian with Python and git, which the server's base stands on."""
        tag = self.tag("debian-python")
        with locked(self._locks / "base"):
            if not self._exists(tag):
                repository, _, version = tag.partition(":")
                self._client.api.import_image_from_file(str(self._ingredients.debian()), repository, version)
                assert self._exists(tag)
        return tag

    def server_base(self) -> str:
        """The tag of the environments' base image, for ``BASE_IMAGE``."""
        tag = self.tag("openenv-gym-base")
        debian = self.base()
        with locked(self._locks / "server-base"):
            if not self._exists(tag):
                self._builder().build(base_sources(), tag=tag, base_image=debian)
        return tag

    def environment(self, name: str) -> str:
        """The tag of an environment's image, for example ``"echo"``'s."""
        tag = self.tag(f"{name.replace('_', '-')}-env")
        base = self.server_base()
        with locked(self._locks / name):
            if not self._exists(tag):
                self._builder().build(environment_sources(f"{name}_env"), tag=tag, base_image=base)
        return tag

    def derived(self, name: str, base: str, folder: Path) -> str:
        """The tag of an image made in a folder of its own, on another one as ``BASE_IMAGE``."""
        tag = self.tag(name)
        with locked(self._locks / name):
            if not self._exists(tag):
                ImageBuilder().build(folder_sources(folder), tag=tag, base_image=base)
        return tag

    def remove(self) -> None:
        """Remove every image of this run, whatever it is made of."""
        for image in self._client.images.list():
            for tag in image.tags:
                if f":{self._run}-" in tag:
                    self._client.images.remove(tag, force=True)

    def _builder(self) -> ImageBuilder:
        return ImageBuilder(wheelhouse=self._ingredients.wheels())

    def tag(self, name: str) -> str:
        """What an image of this run is called; all of them are removed at its end."""
        return f"{name}:{self._run}-{self._ingredients.name}"

    def _exists(self, tag: str) -> bool:
        try:
            self._client.images.get(tag)
        except ImageNotFound:
            return False
        return True
