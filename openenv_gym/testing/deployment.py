"""How a server that is tested is run, and where to look at what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openenv_gym.providers.endpoint import ServerSpec
from openenv_gym.providers.provider import Provider


@dataclass(frozen=True)
class Deployment:
    """One server, not started yet.

    Attributes:
        provider: Runs it.
        spec: What is run.
        root: Tells, while it runs, the process of this machine whose descendants the server's processes are.
        folder: Where it puts temporary files, of which none may be left at its end; ``None`` where they end
            with it anyway.
    """

    provider: Provider
    spec: ServerSpec
    root: Callable[[], int]
    folder: Path | None = None
