"""Serves games in which one agent acts at a time: PettingZoo's AEC environments, and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from openenv_gym.engines.agent_models import Agents, EachSpace, TurnObservation, turn_observation
from openenv_gym.engines.blueprint import Blueprint
from openenv_gym.engines.info_metadata import info_metadata
from openenv_gym.engines.space_model import SpaceModel, action_model
from openenv_gym.models import Action, EnvironmentMetadata, State
from openenv_gym.server.environment import Environment


class TurnEnvironment(Environment[Action, TurnObservation, State]):
    """A game in which one agent acts at a time; its clients act for all of them, each in its turn.

    ``reward`` is what the agent earned who has just acted, ``rewards`` has what all did. Agents for whom the
    game has ended act no more: PettingZoo's empty steps, by which they leave, are taken here.

    Args:
        make: Makes the game.
        name: The engine's name for it.
        actions: Model of what an agent does.
        observation_cls: Model of what is seen.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"

    def __init__(
        self,
        make: Callable[[], Any],
        name: str,
        actions: SpaceModel[Action],
        observation_cls: type[TurnObservation],
    ) -> None:
        super().__init__()
        self._name = name
        self._actions = actions
        self._observation_cls = observation_cls
        self._game = make()
        self._agents = agents = Agents.of(self._game)
        self._numbers = {agent: number for number, agent in enumerate(agents.names)}
        self._action = EachSpace(agents.action_spaces)
        self._observation = EachSpace(agents.observation_spaces)
        self._state = State()

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
        self._game.step(self._action.for_agent(actor, self._actions.element(action)))
        self._state.step_count += 1
        return self._observe(actor)

    @property
    def state(self) -> State:
        """The game's id, and how many steps all agents have taken."""
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
            current_player=self._numbers[shown],
            observation=self._observation.of_agent(shown, seen.pop(shown)),
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


def turn_blueprint(name: str, make: Callable[[], Any], execution: str | None = None) -> Blueprint:
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
    actions = action_model("TurnAction", EachSpace(agents.action_spaces).space)
    observation_cls = turn_observation(agents)

    return Blueprint(
        factory=partial(TurnEnvironment, make, name, actions, observation_cls),
        action_cls=actions.model,
        observation_cls=observation_cls,
        execution=execution,
        gymnasium_metadata=render_metadata(sample),
    )


def render_metadata(game: Any) -> dict[str, Any]:
    """What Gymnasium's clients may ask of a game's drawing."""
    mode = getattr(game, "render_mode", None)
    return {"render_modes": [mode] if mode else [], "render_fps": game.metadata.get("render_fps", 4)}


def describe(name: str, game: Any) -> EnvironmentMetadata:
    """Describe a game by its own docstring."""
    text = type(game.unwrapped).__doc__ or name
    return EnvironmentMetadata(name=name, description=text.strip())


def _is_dead(game: Any, agent: str) -> bool:
    return bool(game.terminations[agent] or game.truncations[agent])


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {agent: float(value) for agent, value in values.items()}


def _flags(values: Mapping[str, Any]) -> dict[str, bool]:
    return {agent: bool(value) for agent, value in values.items()}
