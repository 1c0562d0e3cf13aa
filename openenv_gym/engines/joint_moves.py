"""Serves games in which all agents act at once: PettingZoo's parallel environments, and their like."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gymnasium import spaces
from gymnasium.vector.utils import create_empty_array

from openenv_gym.engines.agent_models import Agents, JointObservation, joint_observation
from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.info_metadata import info_metadata
from openenv_gym.engines.space_model import SpaceModel, action_model
from openenv_gym.engines.turns import describe, render_metadata
from openenv_gym.models import Action, EnvironmentMetadata, State
from openenv_gym.server.environment import Environment
from openenv_gym.spaces import unbatched


class JointEnvironment(Environment[Action, JointObservation, State]):
    """A game in which all agents act at once; an action is one of each agent's.

    ``reward`` is the sum of what all earned, ``rewards`` has what each did. What is sent for agents who have
    left the game is not read.

    Args:
        make: Makes the game.
        name: The engine's name for it.
        actions: Model of what all do.
        observation_cls: Model of what all see.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"

    def __init__(
        self,
        make: Callable[[], Any],
        name: str,
        actions: SpaceModel[Action],
        observation_cls: type[JointObservation],
    ) -> None:
        super().__init__()
        self._name = name
        self._actions = actions
        self._observation_cls = observation_cls
        self._game = make()
        self._agents = Agents.of(self._game)
        self._seen: dict[str, Any] = {}
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> JointObservation:
        """Start a game; every further option goes into PettingZoo's ``options=``."""
        observations, infos = self._game.reset(seed=seed, options=options or None)
        self._state = State(episode_id=episode_id)
        self._seen = {}
        for agent in set(self._agents.names).difference(observations):
            space = self._agents.observation_spaces[agent]
            (self._seen[agent],) = unbatched(space, create_empty_array(space, 1))
        present = dict.fromkeys(self._game.agents, False)
        return self._observe(observations, {}, present, present, infos)

    def step(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> JointObservation:
        """Act for every agent that is in the game."""
        joint = self._actions.element(action)
        results = self._game.step({agent: joint[agent] for agent in self._game.agents})
        self._state.step_count += 1
        return self._observe(*results)

    @property
    def state(self) -> State:
        """The game's id and length."""
        return self._state

    def render(self, mode: str) -> Any:
        """Draw the game in the one mode that it was made for."""
        return self._game.render()

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment by the engine's name for it."""
        return describe(self._name, self._game)

    def close(self) -> None:
        """Close the game."""
        self._game.close()

    def _observe(
        self,
        observations: dict[str, Any],
        rewards: dict[str, Any],
        terminations: dict[str, Any],
        truncations: dict[str, Any],
        infos: dict[str, Any],
    ) -> JointObservation:
        for agent, element in observations.items():
            self._seen[agent] = self._agents.observed(agent, element)
        earned = {agent: float(reward) for agent, reward in rewards.items()}
        ended = {agent: bool(flag) for agent, flag in terminations.items()}
        is_over = not self._game.agents
        return self._observation_cls.model_construct(
            agents=list(self._game.agents),
            observations=dict(self._seen),
            rewards=earned,
            terminations=ended,
            truncations={agent: bool(flag) for agent, flag in truncations.items()},
            infos={agent: info_metadata(info) for agent, info in infos.items()},
            reward=sum(earned.values()) if earned else None,
            done=is_over,
            truncated=is_over and not any(ended.values()),
            metadata={},
        )


def joint_blueprint(name: str, make: Callable[[], Any], execution: str | None = None) -> Blueprint:
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
    actions = action_model("JointAction", spaces.Dict(dict(agents.action_spaces)))
    observation_cls = joint_observation(agents)

    return Blueprint(
        factory=partial(JointEnvironment, make, name, actions, observation_cls),
        action_cls=actions.model,
        observation_cls=observation_cls,
        execution=execution,
        gymnasium_metadata=render_metadata(sample),
    )
