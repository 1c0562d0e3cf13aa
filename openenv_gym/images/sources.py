"""What images are built from: which Dockerfile, and which files of a checkout or of installed packages."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openenv_gym
from openenv_gym.errors import UsageError

BASE_IMAGE = "openenv-gym-base:latest"
BASE_DOCKERFILE = "servers/base/Dockerfile"

_PACKAGE = Path(openenv_gym.__file__).parent
# Links, in a checkout; files, where this package was installed. So there is one way to build from both.
_SOURCE = Path(__file__).parent / "source"
_DOCKERFILES = ("server/Dockerfile", "Dockerfile")
_DEFAULT_IMAGE = re.compile(r"^default_image:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)
_OURS = re.compile(r"openenv-gym-([\w-]+)")


@dataclass(frozen=True, slots=True)
class ImageSources:
    """What one image is built from.

    Attributes:
        tag: What the image is called unless told otherwise.
        dockerfile: The Dockerfile's path in the build's context.
        files: Files and folders of the context, by their paths in it; "" is the context itself.
        arguments: Build arguments that go with the Dockerfile.
        labels: The image's labels.
    """

    tag: str
    dockerfile: str
    files: Mapping[str, Path]
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The Dockerfile's text."""
        parents = [name for name in self.files if name == "" or self.dockerfile.startswith(name + "/")]
        if self.dockerfile in self.files:
            return self.files[self.dockerfile].read_text()
        name = max(parents, key=len)
        return (self.files[name] / self.dockerfile.removeprefix(name).lstrip("/")).read_text()

    def declares(self, argument: str) -> bool:
        """Whether the Dockerfile takes a build argument."""
        return re.search(rf"^\s*ARG\s+{argument}\b", self.text, re.MULTILINE) is not None

    @property
    def takes_wheels(self) -> bool:
        """Whether the Dockerfile uses a folder of wheels in its context, as this project's do."""
        return "wheelhouse" in self.text

    @property
    def takes_authorities(self) -> bool:
        """Whether the Dockerfile uses a file of certificates in its context."""
        return "ca-certificates.cr" in self.text

    @property
    def stands_on_our_base(self) -> bool:
        """Whether the base image is this project's, unless told otherwise."""
        found = re.search(r"^\s*ARG\s+BASE_IMAGE=(\S+)", self.text, re.MULTILINE)
        return found is not None and found[1] == BASE_IMAGE


def base_sources() -> ImageSources:
    """The base image's."""
    projects = {name: _SOURCE / name for name in ("pyproject.toml", "README.md", "LICENSE")}
    files = {**projects, "servers/base": _SOURCE / "base", "openenv_gym": _PACKAGE}
    return ImageSources(BASE_IMAGE, BASE_DOCKERFILE, files)


def environment_sources(package: str) -> ImageSources:
    """An environment package's, by its import name, for example ``"echo_env"``.

    Raises:
        UsageError: There is no such package, or it has nothing to build an image from.
    """
    folder = _package_folder(package)
    if folder is None:
        raise UsageError(f"there is no environment package {package!r} here")
    return folder_sources(folder)


def folder_sources(folder: Path) -> ImageSources:
    """A project folder's, with its ``server/Dockerfile`` or ``Dockerfile``.

    The context is the folder, as upstream's tools have it. A Dockerfile that copies ``envs/<folder>``, as
    this project's do, finds that instead, and beside it the environments that it needs.

    Raises:
        UsageError: It is no folder with a Dockerfile, or lacks what the Dockerfile copies.
    """
    folder = folder.resolve()
    dockerfile = next((name for name in _DOCKERFILES if (folder / name).is_file()), None)
    if dockerfile is None:
        raise UsageError(f"{folder} has no {' and no '.join(_DOCKERFILES)}: that is what images are built by")
    manifest = folder / "openenv.yaml"
    labels = {"openenv-gym.manifest": manifest.read_text()} if manifest.is_file() else {}
    named = _DEFAULT_IMAGE.search(labels.get("openenv-gym.manifest", ""))
    tag = named[1] if named else f"{folder.name.lower().replace('_', '-')}:latest"
    if f"envs/{folder.name}" in (folder / dockerfile).read_text():
        files = {f"envs/{found.name}": found for found in (folder, *_needed_environments(folder))}
        return ImageSources(tag, f"envs/{folder.name}/{dockerfile}", files, labels=labels)
    # What upstream's Dockerfiles ask of the tool that builds them.
    arguments = {"BUILD_MODE": "standalone", "ENV_NAME": folder.name.removesuffix("_env")}
    alone = ImageSources(tag, dockerfile, {"": folder}, labels=labels)
    taken = {name: value for name, value in arguments.items() if alone.declares(name)}
    return ImageSources(tag, dockerfile, {"": folder}, taken, labels)


def project_table(folder: Path) -> dict[str, Any]:
    """The ``[project]`` table of a folder's pyproject.toml; empty where there is none.

    Raises:
        UsageError: It is no TOML.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text()).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: {error}") from error
    return table


def known_packages() -> list[str]:
    """The environment packages of the checkout that this package lies in; none if it was installed."""
    return sorted(path.parents[1].name for path in (_PACKAGE.parent / "envs").glob("*_env/server/Dockerfile"))


def _needed_environments(folder: Path) -> Iterator[Path]:
    """The folders of the environments of this project that a project depends on."""
    for requirement in project_table(folder).get("dependencies", []):
        match = _OURS.match(requirement)
        if match is None:
            continue
        package = f"{match[1].replace('-', '_')}_env"
        found = _package_folder(package)
        if found is None:
            raise UsageError(f"{folder.name} needs the package {package!r}, which is not here")
        yield found
        yield from _needed_environments(found)


def _package_folder(package: str) -> Path | None:
    """Where an environment package is: in this checkout, or elsewhere on the import path."""
    if not package.isidentifier():
        return None
    checkout = _PACKAGE.parent / "envs" / package
    if checkout.is_dir():
        return checkout
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
