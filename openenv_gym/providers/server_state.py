"""How a started server is, as its provider sees it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a provider knows of its server without asking the server itself.

    Attributes:
        status: ``"running"``; ``"paused"``: it lives but is frozen; ``"unhealthy"``: it runs, and the check
            that its image brings fails; ``"ended"``: it is gone or never was; ``"unknown"``: nobody can tell.
        detail: What a message says after the server's name, for example ``"exited with code 3"``; may be
            empty for a server that runs.
    """

    status: Literal["running", "paused", "unhealthy", "ended", "unknown"]
    detail: str = ""
