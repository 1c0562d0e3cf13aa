"""RemoteParallelEnv: a remote game in which all agents act at once, as PettingZoo's ``ParallelEnv``."""

from __future__ import annotations

from typing import Any

from gymnasium.spaces import Space

from openenv_gym.adapters.agents_session import AgentsSession, Told
from openenv_gym.adapters.pettingzoo_bases import ParallelEnv


class RemoteParallelEnv(ParallelEnv):  # type: ignore[misc]  # PettingZoo has no types
    """One session at a server of an engine's game, every agent played here.

    Args:
        base_url: The server; or ``server="pettingzoo:rps_v2"``, which then runs as a child process.
        **options: Those of `openenv_gym.RemoteEnv`.

    Raises:
        UsageError: The server's environment is of another kind.
        Others: As for `openenv_gym.RemoteEnv`, here and in `reset` and `step`.
    """

    def __init__(self, base_url: Any = None, **options: Any) -> None:
        self._session = AgentsSession("parallel", base_url, **options)
        self.metadata = {"name": "remote_parallel_env", **self._session.metadata}
        self.render_mode = self._session.render_mode
        self.possible_agents = list(self._session.seats)
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Space[Any]:
        """What an agent sees."""
        return self._session.seats[agent].observation.space

    def action_space(self, agent: str) -> Space[Any]:
        """What an agent can do."""
        return self._session.seats[agent].action.space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start a game; returns what the agents see, and are told beside."""
        told = self._session.start(seed, options)
        self.agents = list(told["agents"])
        return self._seen(told), self._session.infos(told)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Act for every agent that is in the game.

        Returns:
            By agent: observations, rewards, terminations, truncations, infos.
        """
        told = self._session.act_together({agent: actions[agent] for agent in self.agents})
        observations = self._seen(told)
        self.agents = list(told["agents"])
        return (
            observations,
            dict(told["rewards"]),
            dict(told["terminations"]),
            dict(told["truncations"]),
            self._session.infos(told),
        )

    def render(self) -> Any:
        """Have the server draw the game."""
        return self._session.render()

    def close(self) -> None:
        """Close the session. Safe to call twice."""
        self._session.close()

    def _seen(self, told: Told) -> dict[str, Any]:
        """What those see who were told of it: agents who left earlier are not."""
        present = told["terminations"]
        return {agent: self._session.seen(agent, told["observations"][agent]) for agent in present}
