"""The environments this project ships, as one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnvironmentEntry:
    """One environment and where its parts are.

    Attributes:
        name: The part of the gymnasium id between ``openenv/`` and ``-v0``.
        server: Its ASGI app as an import string.
        image: Its container image.
        extra: The extra of ``openenv-gym`` that installs it.
        max_episode_steps: The time limit of an episode without a natural end.
    """

    name: str
    server: str | None = None
    image: str | None = None
    extra: str | None = None
    max_episode_steps: int | None = None


BUILT_IN = (
    EnvironmentEntry("Remote"),
    EnvironmentEntry("Echo", "echo_env.server.app:app", "echo-env:latest", "echo", max_episode_steps=100),
    EnvironmentEntry("Git", "git_env.server.app:app", "git-env:latest", "git", max_episode_steps=100),
)
