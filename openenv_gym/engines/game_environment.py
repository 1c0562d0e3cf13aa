"""What all games of several agents have in common, whether these act in turns or at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from openenv_gym.engines.agent_models import Agents
from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.space_model import SpaceModel
from openenv_gym.models import Action, EnvironmentMetadata, State
from openenv_gym.server.environment import Environment, ObsT


class GameEnvironment(Environment[Action, ObsT, State]):
    """A game of PettingZoo's or one with the same methods, all of whose agents its clients play.

    Args:
        make: Makes the game.
        name: The engine's name for it.
        actions: Model of what is done.
        observation_cls: Model of what is seen.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"

    def __init__(
        self,
        make: Callable[[], Any],
        name: str,
        actions: SpaceModel[Action],
        observation_cls: type[ObsT],
    ) -> None:
        super().__init__()
        self._name = name
        self._actions = actions
        self._observation_cls = observation_cls
        self._game = make()
        self._agents = Agents.of(self._game)
        self._state = State()

    @classmethod
    def blueprint(cls, name: str, make: Callable[[], Any], execution: str | None = None) -> Blueprint:
        """Make one game to learn its agents and spaces, and say how to make more.

        Args:
            name: The engine's name for it.
            make: Makes one.
            execution: Overrides where it runs.

        Raises:
            SchemaError: Its observations or actions cannot travel.
        """
        sample = make()
        agents = Agents.of(sample)
        sample.close()
        actions, observation_cls = cls.models(agents)
        mode = getattr(sample, "render_mode", None)
        return Blueprint(
            factory=partial(cls, make, name, actions, observation_cls),
            action_cls=actions.model,
            observation_cls=observation_cls,
            execution=execution,
            gymnasium_metadata={
                "render_modes": [mode] if mode else [],
                "render_fps": sample.metadata.get("render_fps", 4),
            },
        )

    @classmethod
    @abstractmethod
    def models(cls, agents: Agents) -> tuple[SpaceModel[Action], type[ObsT]]:
        """What these agents do, and what they see.

        Raises:
            SchemaError: It cannot travel.
        """

    @property
    def state(self) -> State:
        """The game's id, and how many steps were taken."""
        return self._state

    def render(self, mode: str) -> Any:
        """Draw the game in the one mode that it was made for."""
        return self._game.render()

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the game by the engine's name for it, and its own docstring."""
        description = type(self._game.unwrapped).__doc__ or self._name
        return EnvironmentMetadata(name=self._name, description=description.strip())

    def close(self) -> None:
        """Close the game."""
        self._game.close()
