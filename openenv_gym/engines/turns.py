"""Serves games in which one agent acts at a time: PettingZoo's AEC environments, and their like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openenv_gym.engines.agent_models import Agents, TurnObservation, turn_observation
from openenv_gym.engines.game_environment import GameEnvironment
from openenv_gym.engines.info_metadata import info_metadata
from openenv_gym.engines.space_model import SpaceModel, action_model
from openenv_gym.models import Action, State


class TurnEnvironment(GameEnvironment[TurnObservation]):
    """A game in which one agent acts at a time; its clients act for all of them, each in its turn.

    ``reward`` is what the agent earned who has just acted, ``rewards`` has what all did. Agents for whom the
    game has ended act no more: PettingZoo's empty steps, by which they leave, are taken here.
    """

    @classmethod
    def models(cls, agents: Agents) -> tuple[SpaceModel[Action], type[TurnObservation]]:
        """See `GameEnvironment`."""
        return action_model("TurnAction", agents.one_action.space), turn_observation(agents)

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> TurnObservation:
        """Start a game; every further option goes into PettingZoo's ``options=``."""
        self._game.reset(seed=seed, options=options or None)
        self._state = State(episode_id=episode_id)
        return self._observe(None)

    def step(self, action: Action, timeout_s: float | None = None, **kwargs: Any) -> TurnObservation:
        """Act for the agent whose turn it is.

        Raises:
            ValueError: The action is another agent's.
        """
        actor = self._game.agent_selection
        self._game.step(self._agents.one_action.for_agent(actor, self._actions.element(action)))
        self._state.step_count += 1
        return self._observe(actor)

    def _observe(self, actor: str | None) -> TurnObservation:
        game = self._game
        rewards, terminations = _numbers(game.rewards), _flags(game.terminations)
        told: dict[str, Any] = {
            "rewards": rewards,
            "cumulative_rewards": _numbers(game._cumulative_rewards),
            "terminations": terminations,
            "truncations": _flags(game.truncations),
            "infos": {agent: info_metadata(info) for agent, info in game.infos.items()},
        }
        # All of this before the dead leave, who take theirs along.
        seen = self._remove_the_dead()
        removed = list(seen)
        seen.update((agent, self._look(agent)) for agent in game.agents)
        is_over = not game.agents
        shown = removed[0] if is_over else game.agent_selection
        return self._observation_cls.model_construct(
            **told,
            agents=list(game.agents),
            agent_selection=None if is_over else shown,
            current_player=self._agents.names.index(shown),
            observation=self._agents.one_observation.of_agent(shown, seen.pop(shown)),
            other_observations=seen,
            removed=removed,
            reward=None if actor is None else rewards.get(actor, 0.0),
            done=is_over,
            truncated=is_over and not any(terminations.values()),
            metadata={},
        )

    def _remove_the_dead(self) -> dict[str, Any]:
        """Take the steps by which agents leave; returns what each saw when it left, in their order."""
        game = self._game
        seen: dict[str, Any] = {}
        while game.agents and _is_dead(game, game.agent_selection):
            seen[game.agent_selection] = self._look(game.agent_selection)
            game.step(None)
        return seen

    def _look(self, agent: str) -> Any:
        return self._agents.observed(agent, self._game.observe(agent))


def _is_dead(game: Any, agent: str) -> bool:
    return bool(game.terminations[agent] or game.truncations[agent])


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {agent: float(value) for agent, value in values.items()}


def _flags(values: Mapping[str, Any]) -> dict[str, bool]:
    return {agent: bool(value) for agent, value in values.items()}
