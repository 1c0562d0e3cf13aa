"""Which engines serve other libraries' environments, as ``engine:ID``, and where their code is.

A table of import strings: the engines stand above this package, and only the one that is used gets imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from openenv_gym.errors import MissingExtraError


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine.

    Attributes:
        name: What stands before the colon.
        summary: What it serves, in one line.
        example: The name of an environment.
        module: Import path of the module whose ``blueprint`` makes one; see `openenv_gym.engines.blueprint`.
        library: The package that must be importable for that.
        extra: The extra of ``openenv-gym`` that brings it.
    """

    name: str
    summary: str
    example: str
    module: str
    library: str
    extra: str

    def require(self) -> None:
        """Raise `MissingExtraError` unless the engine's library is installed."""
        if importlib.util.find_spec(self.library) is None:
            raise MissingExtraError(f"the engine {self.name!r}", self.extra)


ENGINES = (
    Engine(
        "gymnasium",
        "every environment that gymnasium.make knows",
        "gymnasium:CartPole-v1",
        "openenv_gym.engines.gymnasium_engine",
        "gymnasium",
        "server",
    ),
    Engine(
        "open_spiel",
        "OpenSpiel's games, every seat played by the client",
        "open_spiel:connect_four",
        "openenv_gym.engines.open_spiel_engine",
        "pyspiel",
        "open-spiel",
    ),
    Engine(
        "pettingzoo",
        "PettingZoo's environments, all agents played by the client",
        "pettingzoo:connect_four_v3",
        "openenv_gym.engines.pettingzoo_engine",
        "pettingzoo",
        "pettingzoo",
    ),
    Engine(
        "reasoning_gym",
        "reasoning-gym's datasets, a question an episode",
        "reasoning_gym:leg_counting",
        "openenv_gym.engines.reasoning_gym_engine",
        "reasoning_gym",
        "reasoning-gym",
    ),
    Engine(
        "textarena",
        "TextArena's games",
        "textarena:Wordle-v0",
        "openenv_gym.engines.textarena_engine",
        "textarena_env",
        "textarena",
    ),
)


def engine_of(app: str) -> Engine | None:
    """Return the engine that an app's name begins with; ``None`` where it is an import string.

    >>> engine_of("gymnasium:CartPole-v1").name, engine_of("my_package.api:app")
    ('gymnasium', None)
    """
    name = app.partition(":")[0]
    return next((engine for engine in ENGINES if engine.name == name), None)
