"""RemoteAECEnv: a remote game in which one agent acts at a time, as PettingZoo's ``AECEnv``."""

from __future__ import annotations

from typing import Any

from gymnasium.spaces import Space

from openenv_gym.adapters.agents_session import AgentsSession, Told
from openenv_gym.adapters.pettingzoo_bases import AECEnv


class RemoteAECEnv(AECEnv):  # type: ignore[misc]  # PettingZoo has no types
    """One session at a server of an engine's game, every agent played here.

    Steps by which agents leave the game (``step(None)``) cost no request.

    Args:
        base_url: The server; or ``server="pettingzoo:connect_four_v3"``, which then runs as a child process.
        **options: Those of `openenv_gym.RemoteEnv`.

    Raises:
        UsageError: The server's environment is of another kind.
        Others: As for `openenv_gym.RemoteEnv`, here and in `reset` and `step`.
    """

    def __init__(self, base_url: Any = None, **options: Any) -> None:
        super().__init__()
        self._session = AgentsSession("aec", base_url, **options)
        self.metadata = {"name": "remote_aec_env", "is_parallelizable": False, **self._session.metadata}
        self.render_mode = self._session.render_mode
        self.possible_agents = list(self._session.seats)
        self.agent_selection = self.possible_agents[0]
        self._views: dict[str, Any] = {}  # what was sent for each agent to see
        self._waiting: list[str] = []  # who is to act: the dead in their order, then the living one

    def observation_space(self, agent: str) -> Space[Any]:
        """What an agent sees."""
        return self._session.seats[agent].observation.space

    def action_space(self, agent: str) -> Space[Any]:
        """What an agent can do."""
        return self._session.seats[agent].action.space

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a game."""
        self._take(self._session.start(seed, options))

    def step(self, action: Any) -> None:
        """Act for `agent_selection`; ``None`` for one whose game has ended."""
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            self._take(self._session.act(agent, action))
            return
        self._was_dead_step(action)
        del self._waiting[0]
        if self._waiting:
            self.agent_selection = self._waiting[0]

    def observe(self, agent: str) -> Any:
        """What an agent sees, as of the last step."""
        return self._session.seen(agent, self._views[agent])

    def render(self) -> Any:
        """Have the server draw the game."""
        return self._session.render()

    def close(self) -> None:
        """Close the session. Safe to call twice."""
        self._session.close()

    def _take(self, told: Told) -> None:
        """Become what the server tells."""
        self.rewards = dict(told["rewards"])
        self._cumulative_rewards = dict(told["cumulative_rewards"])
        self.terminations, self.truncations = dict(told["terminations"]), dict(told["truncations"])
        self.infos = self._session.infos(told)
        self.agents = list(self.terminations)
        living = told["agent_selection"]
        self._waiting = [*told["removed"], *([] if living is None else [living])]
        self.agent_selection = self._waiting[0]
        shown = self.possible_agents[told["current_player"]]
        self._views = {**told["other_observations"], shown: self._session.own_view(told)}
