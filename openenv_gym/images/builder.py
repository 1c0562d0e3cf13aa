"""Builds images with the `docker` program, and the base image before what stands on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TextIO

from openenv_gym.errors import ImageBuildError, UsageError
from openenv_gym.images.context import build_context, digest, secrets
from openenv_gym.images.docker_program import DockerProgram, find_docker
from openenv_gym.images.sources import BASE_IMAGE, ImageSources, base_sources

SOURCE_LABEL = "openenv-gym.source"
"""What an image was built from, as a digest."""
BASE_LABEL = "openenv-gym.base-image"
"""What an image stands on, where the build was told."""

Progress = Literal["auto", "plain", "tty"]

_TAIL_LINES = 40
# Build arguments that every Dockerfile takes, declared or not, and no image keeps.
_PROXIES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"})


class ImageBuilder:
    """How images are built.

    Args:
        program: The program to use, by default the first on ``PATH`` that can use BuildKit.
        wheelhouse: A folder of wheels, which packages come from alone. What is built has no network then,
            unless ``network`` names one, for example for Debian's packages.
        authorities: A file of certificates that pip shall trust, for builds in a network that needs them.
        platform: What to build for, for example ``"linux/arm64"``; by default the engine's own.
        network: The network of the build's steps, as ``docker build`` has it.
        no_cache: Build every step anew.
        progress: How progress is shown: ``"tty"`` rewrites lines, which needs BuildKit and a terminal.
        output: Where it is written; None keeps it for errors. ``"auto"`` is ``"tty"`` where this is standard
            error and a terminal.
    """

    def __init__(
        self,
        program: DockerProgram | None = None,
        *,
        wheelhouse: Path | None = None,
        authorities: Path | None = None,
        platform: str | None = None,
        network: str | None = None,
        no_cache: bool = False,
        progress: Progress = "auto",
        output: TextIO | None = None,
    ) -> None:
        self._program = program or find_docker()
        self._wheelhouse = wheelhouse
        self._authorities = authorities
        self._platform = platform
        self._network = "none" if network is None and wheelhouse is not None else network
        self._no_cache = no_cache
        self._output = output
        terminal = output is not None and output.isatty() and output is sys.stderr
        self._on_terminal = self._program.has_buildkit and (
            progress == "tty" or (progress == "auto" and terminal)
        )

    def build(
        self,
        sources: ImageSources,
        *,
        tag: str | None = None,
        base_image: str | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> str:
        """Build an image; what it stands on has to be there, or in a registry.

        Args:
            sources: What from.
            tag: What to call it, by default as the sources say.
            base_image: The build argument ``BASE_IMAGE``.
            arguments: Further build arguments.

        Returns:
            The tag.

        Raises:
            ImageBuildError: The build failed; carries its last lines.
            ProviderError: No engine answers.
            UsageError: The Dockerfile takes no ``BASE_IMAGE``, wheels or certificates.
        """
        given = dict(sources.arguments) | dict(arguments or {})
        labels = {**sources.labels, SOURCE_LABEL: digest(sources)}
        if base_image is not None:
            if not sources.declares("BASE_IMAGE"):
                raise UsageError(f"{sources.dockerfile} has no ARG BASE_IMAGE: it stands on what it names")
            given["BASE_IMAGE"] = labels[BASE_LABEL] = base_image
        if self._wheelhouse is not None and not sources.takes_wheels:
            raise UsageError(
                f"{sources.dockerfile} copies no wheelhouse: only Dockerfiles like openenv-gym's can use one"
            )
        if self._authorities is not None and not sources.takes_authorities:
            raise UsageError(f"{sources.dockerfile} copies no ca-certificates.crt, so no step can use one")
        self._program.check_engine()
        tag = tag or sources.tag
        if self._output is not None and (left_out := secrets(sources)):
            self._output.write(f"left out of the build, as secrets: {', '.join(left_out)}\n")
        context = build_context(sources, wheelhouse=self._wheelhouse, authorities=self._authorities)
        with context as folder:
            self._run(self._command(folder, sources.dockerfile, tag, given, labels), tag)
        return tag

    def build_base_if_stale(self, arguments: Mapping[str, str] | None = None) -> str:
        """Build this project's base image where it is missing or older than this package.

        It stands on what it stood on before. Returns its tag.

        Args:
            arguments: Build arguments; those that its Dockerfile does not know are ignored, proxies aside.

        Raises:
            ImageBuildError: The build failed; carries its last lines.
            ProviderError: No engine answers.
        """
        self._program.check_engine()
        sources = base_sources()
        labels = self._labels(BASE_IMAGE)
        if labels.get(SOURCE_LABEL) != digest(sources) or self._platform is not None:
            known = {
                name: value
                for name, value in (arguments or {}).items()
                if name.lower() in _PROXIES or sources.declares(name)
            }
            self.build(sources, base_image=labels.get(BASE_LABEL), arguments=known)
        return BASE_IMAGE

    def _labels(self, image: str) -> dict[str, str]:
        """An image's labels; none where it is not there."""
        done = self._program.run("image", "inspect", "--format", "{{json .Config.Labels}}", image)
        return dict(json.loads(done.stdout) or {}) if done.returncode == 0 else {}

    def _command(
        self,
        context: Path,
        dockerfile: str,
        tag: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
    ) -> list[str]:
        command = [self._program.path, "build", "--tag", tag, "--file", str(context / dockerfile)]
        for name, value in labels.items():
            command += ["--label", f"{name}={value}"]
        for name, value in arguments.items():
            command += ["--build-arg", f"{name}={value}"]
        if self._program.has_buildkit:
            command += ["--progress", "tty" if self._on_terminal else "plain"]
        else:
            command += ["--force-rm"]  # or a step that fails leaves its container
        if self._network is not None:
            command += ["--network", self._network]
        if self._platform is not None:
            command += ["--platform", self._platform]
        if self._no_cache:
            command += ["--no-cache"]
        return [*command, str(context)]

    def _run(self, command: list[str], tag: str) -> None:
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        kept = None if self._on_terminal else subprocess.PIPE
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=kept,
            stderr=None if kept is None else subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._program.environ,
        ) as process:
            try:
                for line in process.stdout or ():
                    tail.append(line)
                    if self._output is not None:
                        self._output.write(line)
                status = process.wait()
            except BaseException:
                process.terminate()  # the engine ends the build with its client
                raise
        if status != 0:
            raise ImageBuildError(f"the image {tag} could not be built (status {status})", "".join(tail))
