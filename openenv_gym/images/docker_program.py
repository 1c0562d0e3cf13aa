"""Which `docker` program to build with: there may be several, and not each can use BuildKit."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from openenv_gym.errors import ProviderError, UsageError

_TIMEOUT = 60.0  # seconds for an answer
_VERSION = re.compile(r"Docker version (\d+)\.")
# From this version on BuildKit is in a component of its own, buildx, which may be missing.
_APART_SINCE = 23


@dataclass(frozen=True, slots=True)
class DockerProgram:
    """One `docker` program.

    Attributes:
        path: Where it is.
        has_buildkit: Whether it builds by BuildKit; else by the legacy builder.
    """

    path: str
    has_buildkit: bool

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that answers at once.

        Raises:
            ProviderError: It did not.
        """
        return _run(self.path, *arguments)

    def check_engine(self) -> None:
        """Ask the engine for its version.

        Raises:
            ProviderError: No engine answers.
        """
        done = self.run("version", "--format", "{{.Server.Version}}")
        if done.returncode != 0 or not done.stdout.strip():
            reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ProviderError(f"no Docker engine answers ({reason}): start one, or point DOCKER_HOST at it")

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables to build with."""
        return {**os.environ, "DOCKER_BUILDKIT": "1" if self.has_buildkit else "0"}


def find_docker(environ: Mapping[str, str] | None = None) -> DockerProgram:
    """The first program on ``PATH`` that can use BuildKit, else the first of all.

    Args:
        environ: Environment variables, this process's own unless given.

    Raises:
        UsageError: There is none.
        ProviderError: One does not answer.
    """
    paths = list(_programs((os.environ if environ is None else environ).get("PATH", os.defpath)))
    if not paths:
        raise UsageError(
            "images are built by the program `docker`, which is not on PATH: install it (Debian: apt-get "
            "install docker.io), or build them where it is"
        )
    for path in paths:
        if _has_buildkit(path):
            return DockerProgram(path, True)
    return DockerProgram(paths[0], False)


def _programs(search_path: str) -> Iterator[str]:
    for folder in search_path.split(os.pathsep):
        program = Path(folder) / "docker"
        if program.is_file() and os.access(program, os.X_OK):
            yield str(program)


def _has_buildkit(path: str) -> bool:
    if _run(path, "buildx", "version").returncode == 0:
        return True
    version = _VERSION.match(_run(path, "--version").stdout)
    return version is not None and int(version[1]) < _APART_SINCE


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProviderError(f"{' '.join(command)}: {error}") from error
