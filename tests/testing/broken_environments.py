"""Environments that each break one promise, and the contract's tests on them: run by the tests beside."""

from __future__ import annotations

import itertools
import random
import subprocess
import threading
from typing import Any, ClassVar

from openenv_gym.client.env_client import EnvClient
from openenv_gym.models import Action, Observation, State
from openenv_gym.server import Environment, create_app
from openenv_gym.testing import EnvironmentContract


class Draw(Action):
    """Take a card."""


class Card(Observation):
    """The card."""

    value: int = 0


class Deck(Environment[Draw, Card, State]):
    """Deals cards, and keeps every promise."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Card:  # type: ignore[override]
        self._rng = random.Random(seed)
        self._state = State(episode_id=episode_id)
        return Card()

    def step(self, action: Draw, timeout_s: float | None = None) -> Card:  # type: ignore[override]
        self._state.step_count += 1
        return Card(value=self._rng.randrange(1000))

    @property
    def state(self) -> State:
        return self._state


class Unseeded(Deck):
    """Draws from the system's randomness."""

    def step(self, action: Draw, timeout_s: float | None = None) -> Card:  # type: ignore[override]
        super().step(action)
        return Card(value=random.SystemRandom().randrange(2**40))


class Shared(Deck):
    """One count for all sessions."""

    _count: ClassVar[itertools.count[int]] = itertools.count()

    def step(self, action: Draw, timeout_s: float | None = None) -> Card:  # type: ignore[override]
        super().step(action)
        return Card(value=next(self._count))


class Leaking(Deck):
    """Leaves a process and a thread behind, which end with the server only."""

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Card:  # type: ignore[override]
        sleeper = subprocess.Popen(["sleep", "600"])
        threading.Thread(target=sleeper.wait, daemon=True).start()
        return super().reset(seed, episode_id)


deck = create_app(Deck, Draw, Card)
unseeded = create_app(Unseeded, Draw, Card)
shared = create_app(Shared, Draw, Card)
leaking = create_app(Leaking, Draw, Card)


class DeckClient(EnvClient[Draw, Card, State]):
    server_app = f"{__name__}:deck"


class UnseededClient(EnvClient[Draw, Card, State]):
    server_app = f"{__name__}:unseeded"


class SharedClient(EnvClient[Draw, Card, State]):
    server_app = f"{__name__}:shared"


class LeakingClient(EnvClient[Draw, Card, State]):
    server_app = f"{__name__}:leaking"


class TestDeck(EnvironmentContract):
    environment: ClassVar[type[Deck]] = Deck
    client = DeckClient
    steps = 2
    settling_seconds = 3.0

    def act(self, observation: dict[str, Any], rng: random.Random) -> Draw:
        return Draw()


class TestUnseeded(TestDeck):
    environment = Unseeded
    client = UnseededClient


class TestShared(TestDeck):
    environment = Shared
    client = SharedClient


class TestLeaking(TestDeck):
    environment = Leaking
    client = LeakingClient
