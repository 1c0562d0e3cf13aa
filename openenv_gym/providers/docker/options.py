"""What a container may use, whether it is started by itself or for a service of a swarm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openenv_gym.errors import UsageError
from openenv_gym.providers.docker.image import ImageFacts

NOBODY = "65534:65534"
TMPFS: Mapping[str, int | str] = {"/tmp": "512m"}
ULIMITS: Mapping[str, int] = {"core": 0}
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How a container is confined, whatever starts it; the providers document these and their defaults."""

    memory: int | str | None
    cpus: float | None
    pids: int | None
    read_only: bool
    tmpfs: Mapping[str, int | str]
    writable: Sequence[str]
    user: str | None
    cap_drop: Sequence[str]
    cap_add: Sequence[str]
    no_new_privileges: bool
    init: bool
    shm_size: int | str
    log_size: int | str | None
    ulimits: Mapping[str, int]
    healthcheck: bool
    port: int | None
    extra_hosts: Mapping[str, str]
    volumes: Sequence[str] | Mapping[str, str]
    command: Sequence[str] | None

    def __post_init__(self) -> None:
        for name in ("memory", "shm_size", "log_size"):
            value = getattr(self, name)
            if value is not None:
                in_bytes(value, name)
        for path, size in self.tmpfs.items():
            in_bytes(size, f"tmpfs[{path!r}]")
        check_words(command=self.command)

    def port_of(self, image: ImageFacts) -> int:
        """Where the server listens in its container."""
        return self.port or image.port

    def user_and_environ(self, image: ImageFacts, environ: Mapping[str, str]) -> tuple[str | None, list[str]]:
        """Who runs the container, ``None`` for its image's own user, and all of its variables."""
        user, variables = self.user, dict(environ)
        if user is None and image.runs_as_root:
            user = NOBODY
            if not image.sets_home:
                variables.setdefault("HOME", "/tmp")  # root's own would be closed to nobody
        return user, [f"{name}={value}" for name, value in variables.items()]

    def ulimit_list(self) -> list[dict[str, Any]]:
        """The resource limits, each for good."""
        return [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in self.ulimits.items()]

    def volume_list(self) -> list[str]:
        """What is mounted where, as ``SOURCE:TARGET[:ro]``."""
        if isinstance(self.volumes, Mapping):
            return [f"{source}:{target}" for source, target in self.volumes.items()]
        return list(self.volumes)

    def log_options(self) -> dict[str, str] | None:
        """What the engine's log driver ``json-file`` is told; ``None`` for the engine's own log settings."""
        if self.log_size is None:
            return None
        return {"max-size": str(in_bytes(self.log_size, "log_size")), "max-file": "2"}


def check_words(**options: Sequence[str] | None) -> None:
    """Refuse what was written as one text instead of a list of words.

    Raises:
        UsageError: One was; the message names it.
    """
    for name, words in options.items():
        if isinstance(words, str):
            raise UsageError(f"{name}= is a list of words, not one text")


def in_bytes(size: int | str, name: str) -> int:
    """A size such as ``"512m"`` in bytes.

    Raises:
        UsageError: It is none.
    """
    if isinstance(size, int):
        return size
    match = _SIZE.fullmatch(size.strip())
    if match is None:
        raise UsageError(
            f"{name}={size!r} is not a size: write bytes as a number, or for example '512m' or '2g'"
        )
    return int(float(match[1]) * _UNITS[match[2].lower()])
