"""Serves games in which all agents act at once: PettingZoo's parallel environments, and their like."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from gymnasium.vector.utils import create_empty_array

from openenv_gym.engines.agent_models import Agents, JointObservation, joint_observation
from openenv_gym.engines.game_environment import GameEnvironment
from openenv_gym.engines.info_metadata import info_metadata
from openenv_gym.engines.space_model import SpaceModel, action_model
from openenv_gym.models import Action, State
from openenv_gym.spaces import unbatched


class JointEnvironment(GameEnvironment[JointObservation]):
    """A game in which all agents act at once; an action is one of each agent's.

    ``reward`` is the sum of what all earned, ``rewards`` has what each did. What is sent for agents who have
    left the game is not read.
    """

    _seen: dict[str, Any]  # by each agent last; `reset` begins it

    @classmethod
    def models(cls, agents: Agents) -> tuple[SpaceModel[Action], type[JointObservation]]:
        """See `GameEnvironment`."""
        joint_action = spaces.Dict(dict(agents.action_spaces))
        return action_model("JointAction", joint_action), joint_observation(agents)

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
