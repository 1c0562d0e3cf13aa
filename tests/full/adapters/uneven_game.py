"""A game of three unlike agents, who leave it one by one: ``pettingzoo:tests.full.adapters.uneven_game``."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from pettingzoo import ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

SPACES: dict[str, tuple[Space[Any], Space[Any]]] = {
    "ant": (Box(0, 255, (2, 2), np.uint8), Discrete(3)),
    "bee": (Discrete(300), Box(-1, 1, (2,), np.float32)),
    "cat": (Box(-np.inf, np.inf, (3,), np.float32), Discrete(2, start=1)),
}
LEAVES = {"ant": 2, "bee": 4, "cat": 5}


class UnevenGame(ParallelEnv):  # type: ignore[misc]  # PettingZoo has no types
    """Everybody sees how far the game is; the ant and the bee end, the cat is cut short."""

    metadata = {"name": "uneven_game", "render_modes": []}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = None
        self.possible_agents = list(SPACES)
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Space[Any]:
        return SPACES[agent][0]

    def action_space(self, agent: str) -> Space[Any]:
        return SPACES[agent][1]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.agents = list(self.possible_agents)
        self._round, self._rng = 0, np.random.default_rng(seed)
        return self._see(), {agent: {"round": np.int16(0)} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self._round += 1
        observations = self._see()
        rewards = {agent: float(np.sum(actions[agent])) for agent in self.agents}
        ended = {agent: self._round >= LEAVES[agent] for agent in self.agents}
        terminations = {agent: ended[agent] and agent != "cat" for agent in self.agents}
        truncations = {agent: ended[agent] and agent == "cat" for agent in self.agents}
        infos = {agent: {"round": np.int16(self._round)} for agent in self.agents}
        self.agents = [agent for agent in self.agents if not ended[agent]]
        return observations, rewards, terminations, truncations, infos

    def _see(self) -> dict[str, Any]:
        luck = int(self._rng.integers(1, 50))
        views = {
            "ant": np.full((2, 2), luck, np.uint8),
            "bee": np.int64(luck + self._round),
            "cat": np.array([luck, self._round, 0.5], np.float32),
        }
        return {agent: views[agent] for agent in self.agents}


parallel_env = UnevenGame


def env(**options: Any) -> Any:
    return parallel_to_aec(UnevenGame(**options))
