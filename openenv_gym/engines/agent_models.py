"""Models of games with several agents: what one of them sees, or all, and what each of them got.

An environment's schema names its agents, with the spaces of each, under the keyword ``agents``: all that a
client needs to give every agent a face of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
from gymnasium import spaces
from pydantic import ConfigDict, Field

from openenv_gym.models import Observation
from openenv_gym.spaces import hint_for

Space = gymnasium.Space[Any]


@dataclass(frozen=True)
class Agents:
    """Who may take part in a game.

    Attributes:
        names: Their names, in a fixed order.
        observation_spaces: What each sees.
        action_spaces: What each can do.
    """

    names: tuple[str, ...]
    observation_spaces: Mapping[str, Space]
    action_spaces: Mapping[str, Space]

    @classmethod
    def of(cls, env: Any) -> Agents:
        """Ask an environment of PettingZoo's, or one with the same methods.

        Args:
            env: It has ``possible_agents``, ``observation_space(agent)`` and ``action_space(agent)``.
        """
        names = tuple(env.possible_agents)
        return cls(
            names,
            {name: env.observation_space(name) for name in names},
            {name: env.action_space(name) for name in names},
        )

    @cached_property
    def one_observation(self) -> EachSpace:
        """What is seen where only one of them looks."""
        return EachSpace(self.observation_spaces)

    @cached_property
    def one_action(self) -> EachSpace:
        """What is done where only one of them acts."""
        return EachSpace(self.action_spaces)

    def observed(self, name: str, element: Any) -> Any:
        """Bring what an agent sees into the form that travels.

        Some environments give the number of a ``Discrete`` as an array without dimensions.
        """
        is_number = isinstance(self.observation_spaces[name], spaces.Discrete)
        return int(element) if is_number else element

    def keywords(self) -> dict[str, Any]:
        """What a schema says of them."""
        described = [
            {
                "name": name,
                "observation_space": hint_for(self.observation_spaces[name]),
                "action_space": hint_for(self.action_spaces[name]),
            }
            for name in self.names
        ]
        return {"agents": described}


class AgentsObservation(Observation):
    """What each agent got; the keys are names of agents."""

    agents: list[str] = Field(description="Agents that are still in the game")
    rewards: dict[str, float] = Field(description="What each earned by the last step")
    terminations: dict[str, bool] = Field(description="For whom the game has ended")
    truncations: dict[str, bool] = Field(description="For whom a limit has ended the game")
    infos: dict[str, dict[str, Any]] = Field(
        description="What the environment says to each beside, with the dtypes that JSON loses"
    )


class TurnObservation(AgentsObservation):
    """A game in which one agent acts at a time, as the one to act sees it.

    When the game is over nobody is to act: the observation is then that of the first of ``removed``.
    """

    agent_selection: str | None = Field(description="Who is to act; null when the game is over")
    current_player: int = Field(description="Number of the agent whose observation this is, from 0")
    observation: Any = Field(description="What this agent sees")
    other_observations: dict[str, Any] = Field(description="What the others see, the removed ones included")
    cumulative_rewards: dict[str, float] = Field(description="What each has earned since it last acted")
    removed: list[str] = Field(description="Agents whose game ended with the last step, in their order")


class JointObservation(AgentsObservation):
    """A game in which all act at once."""

    observations: dict[str, Any] = Field(
        description="What each agent sees; of those who left, the last that they saw"
    )


class EachSpace:
    """The one space of a value that is now one agent's, now another's.

    Args:
        agents: By their names, the space of each.

    Attributes:
        space: That of all agents where it is the same, else a ``OneOf`` of theirs, in their order.
    """

    def __init__(self, agents: Mapping[str, Space]) -> None:
        self._numbers = {name: number for number, name in enumerate(agents)}
        first, *others = agents.values()
        self._is_shared = all(other == first for other in others)
        self.space: Space = first if self._is_shared else spaces.OneOf([first, *others])

    def of_agent(self, name: str, element: Any) -> Any:
        """Turn an element of an agent's own space into one of this space."""
        return element if self._is_shared else (self._numbers[name], element)

    def for_agent(self, name: str, element: Any) -> Any:
        """Turn an element of this space into one of an agent's own.

        Raises:
            ValueError: It is another agent's.
        """
        if self._is_shared:
            return element
        number, own = element
        if number != self._numbers[name]:
            raise ValueError(f"the value is of agent {number}, but it is the turn of {self._numbers[name]}")
        return own


def turn_observation(agents: Agents) -> type[TurnObservation]:
    """Make the model of what is seen in a game in which one agent acts at a time.

    Its gymnasium space has the number of the agent to act, unless there is but one agent, and what it sees.

    Raises:
        SchemaError: An observation cannot travel.
    """
    seen = agents.one_observation.space
    if len(agents.names) == 1:
        shown: dict[str, Any] = {"gymnasium_field": "observation"}
    else:
        numbered = {"current_player": spaces.Discrete(len(agents.names)), "observation": seen}
        shown = {"gymnasium_space": hint_for(spaces.Dict(numbered))}

    class AgentsTurn(TurnObservation):
        model_config = ConfigDict(json_schema_extra={**agents.keywords(), **shown})

        observation: Any = Field(
            description="What this agent sees", json_schema_extra={"gymnasium_space": hint_for(seen)}
        )

    return AgentsTurn


def joint_observation(agents: Agents) -> type[JointObservation]:
    """Make the model of what is seen in a game in which all act at once.

    Its gymnasium space is a ``Dict`` of what each agent sees.

    Raises:
        SchemaError: An observation cannot travel.
    """
    hint = hint_for(spaces.Dict(dict(agents.observation_spaces)))

    class AgentsTogether(JointObservation):
        model_config = ConfigDict(json_schema_extra={**agents.keywords(), "gymnasium_field": "observations"})

        observations: dict[str, Any] = Field(
            description="What each agent sees; of those who left, the last that they saw",
            json_schema_extra={"gymnasium_space": hint},
        )

    return AgentsTogether
