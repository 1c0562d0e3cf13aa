"""Builds the images under test on an engine, each once however many processes ask."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import docker
from docker.errors import BuildError, ImageNotFound

from tests.docker.ingredients import ROOT, base_tarball, locked, wheels

_WHEELS = "/wheels"
_IGNORED = {"__pycache__", "build"}


class Images:
    """The images of a run of the tests; their tags are its own.

    Args:
        client: The engine to build them on.
        run: What tells this run from others on the same engine.
        locks: A folder that all processes of this run share.
    """

    def __init__(self, client: docker.DockerClient, run: str, locks: Path) -> None:
        self._client = client
        self._run = run
        self._locks = locks

    def base(self) -> str:
        """The tag of a small Debian with Python and git, for ``BASE_IMAGE``."""
        tag = self._tag("openenv-gym-base")
        with locked(self._locks / "base"):
            if not self._exists(tag):
                repository, _, version = tag.partition(":")
                self._client.api.import_image_from_file(str(base_tarball()), repository, version)
                assert self._exists(tag)
        return tag

    def environment(self, name: str) -> str:
        """The tag of an environment's image, for example ``"echo"``'s."""
        tag = self._tag(f"{name}-env")
        with locked(self._locks / name):
            if not self._exists(tag):
                options = f"--no-index --find-links {_WHEELS}"
                dockerfile = f"envs/{name}_env/server/Dockerfile"
                arguments = {"BASE_IMAGE": self._base_with_wheels(), "PIP_OPTIONS": options}
                paths = ["pyproject.toml", "README.md", "LICENSE", "openenv_gym", f"envs/{name}_env"]
                self._build(tag, _context({ROOT / path: path for path in paths}), dockerfile, arguments)
        return tag

    def remove(self) -> None:
        """Remove every image of this run."""
        for image in self._client.images.list():
            for tag in image.tags:
                if tag.endswith(f":{self._run}"):
                    self._client.images.remove(tag, force=True)

    def _base_with_wheels(self) -> str:
        base, tag = self.base(), self._tag("openenv-gym-wheels")
        with locked(self._locks / "wheels"):
            if not self._exists(tag):
                dockerfile = f"FROM {base}\nCOPY wheels {_WHEELS}\n"
                context = _context({wheels(): "wheels"}, {"Dockerfile": dockerfile})
                self._build(tag, context, "Dockerfile", {})
        return tag

    def _build(self, tag: str, context: io.BytesIO, dockerfile: str, arguments: dict[str, str]) -> None:
        try:
            self._client.images.build(
                fileobj=context,
                custom_context=True,
                dockerfile=dockerfile,
                tag=tag,
                buildargs=arguments,
                network_mode="none",
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            told = "".join(str(line.get("stream", "")) for line in error.build_log)
            raise AssertionError(f"{tag}: {error}\n{told[-4096:]}") from error

    def _tag(self, name: str) -> str:
        return f"{name}:{self._run}"

    def _exists(self, tag: str) -> bool:
        try:
            self._client.images.get(tag)
        except ImageNotFound:
            return False
        return True


def _context(paths: dict[Path, str], texts: dict[str, str] | None = None) -> io.BytesIO:
    """A build's context, as a tarball in memory: what is at each path, by its name there."""

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if Path(member.name).name in _IGNORED else member

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, name in paths.items():
            tar.add(path, arcname=name, filter=wanted)
        for name, text in (texts or {}).items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    archive.seek(0)
    return archive
