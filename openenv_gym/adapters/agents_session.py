"""One session of a game of several agents: what each sees, is told and does, in spaces of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium.spaces import Dict, OneOf

from openenv_gym.adapters.infos import own_info
from openenv_gym.adapters.remote_env import RemoteEnv
from openenv_gym.errors import UsageError
from openenv_gym.spaces import SpaceCodec, codec_for
from openenv_gym.wire.messages import Op, Outcome, Request

_FACES = {"aec": "RemoteAECEnv", "parallel": "RemoteParallelEnv"}

# What a server tells: the fields of an observation.
Told = Mapping[str, Any]


@dataclass(frozen=True)
class Seat:
    """One agent's part of a game.

    Attributes:
        number: Its place among all agents.
        observation: Translates what it sees.
        action: Translates what it does.
        idle_action: Some action, for when the agent has left the game and nobody reads it.
    """

    number: int
    observation: SpaceCodec
    action: SpaceCodec
    idle_action: Any

    @classmethod
    def of(cls, number: int, described: Mapping[str, Any]) -> Seat:
        """Read what a schema says of an agent."""
        observation, action = (
            codec_for({"gymnasium_space": described[f"{kind}_space"]}) for kind in ("observation", "action")
        )
        return cls(number, observation, action, action.space.sample())


class AgentsSession(RemoteEnv):
    """A session that hands on what its server tells of all agents, instead of one agent's view.

    Args:
        api: What is asked of the server: ``"aec"``, where one agent acts at a time, or ``"parallel"``.
        base_url: As for `RemoteEnv`.
        **options: As for `RemoteEnv`.

    Attributes:
        seats: The agents by their names, in the server's order.

    Raises:
        UsageError: The server's environment is of the other kind, or knows no agents.
    """

    def __init__(self, api: Literal["aec", "parallel"], base_url: Any = None, **options: Any) -> None:
        super().__init__(base_url, **options)
        described = self._interface.schema["observation"]
        try:
            if "agents" not in described:
                raise UsageError("the server's environment knows no agents: use RemoteEnv")
            found = "aec" if "agent_selection" in described["properties"] else "parallel"
            if found != api:
                raise UsageError(
                    f"the server's environment is of the kind {found!r}: use {_FACES[found]}, or have it "
                    f"served with ?api={api}"
                )
            self.seats = {
                agent["name"]: Seat.of(number, agent) for number, agent in enumerate(described["agents"])
            }
        except BaseException:
            self.close()
            raise

    def start(self, seed: int | None, options: Mapping[str, Any] | None) -> Told:
        """Start a game; without a seed the environment's own generators go on."""
        seeded = {} if seed is None else {"seed": seed}
        return self._told(Request(Op.RESET, {**(options or {}), **seeded}), self._reset_timeout)

    def act(self, agent: str, action: Any) -> Told:
        """Act for the one agent whose turn it is."""
        if isinstance(self.action_space, OneOf):
            action = (np.int64(self.seats[agent].number), action)
        return self._told(self._interface.step_request(action), self._step_timeout)

    def act_together(self, actions: Mapping[str, Any]) -> Told:
        """Act for all agents; those who are left out have left the game."""
        joint = {agent: actions.get(agent, seat.idle_action) for agent, seat in self.seats.items()}
        return self._told(self._interface.step_request(joint), self._step_timeout)

    def seen(self, agent: str, value: Any) -> Any:
        """Turn what was sent for an agent to see into an element of its own space."""
        return self.seats[agent].observation.decode(value)

    def own_view(self, told: Told) -> Any:
        """What was sent for the agent to see whose turn it is."""
        is_numbered = isinstance(self._interface.observation_space, Dict) and isinstance(
            self._interface.observation_space.spaces.get("observation"), OneOf
        )
        return told["observation"][1] if is_numbered else told["observation"]

    def infos(self, told: Told) -> dict[str, dict[str, Any]]:
        """What each agent was told beside."""
        return {agent: own_info(info) for agent, info in told["infos"].items()}

    def _told(self, request: Request, timeout: float) -> Told:
        outcome = self._call(request, timeout)
        assert isinstance(outcome, Outcome)
        return outcome.observation
