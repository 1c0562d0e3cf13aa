"""What a fleet's machine wants done to its servers, and what it is told of their end."""

from __future__ import annotations

from dataclasses import dataclass

from openenv_gym.providers.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Start:
    """Start a server, and report `FleetMachine.started` or `start_failed`."""

    run: int
    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a server, or what has been started of it, in the background; by force if it hangs."""

    run: int
    by_force: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """See whether a server runs, and if ``asks``, whether it answers; report `FleetMachine.looked`."""

    run: int
    endpoint: Endpoint
    asks: bool


@dataclass(frozen=True, slots=True)
class End:
    """That a server ended by itself.

    Attributes:
        how: In words.
        last_words: The last line of its log.
    """

    how: str
    last_words: str = ""


Command = Start | Stop | Look
