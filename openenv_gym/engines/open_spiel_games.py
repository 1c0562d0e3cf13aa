"""OpenSpiel's games with the methods of PettingZoo's environments, every seat played from outside.

An observation is ``{"observation": the state's tensor, "action_mask": the player's legal moves}``, as in
PettingZoo's own board and card games.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from openenv_gym.engines.open_spiel_states import Chance, seeded, settled_seed, tensor, tensor_size, text

Observation = dict[str, NDArray[Any]]

# What a player without a legal move puts into a joint move.
_NO_MOVE = 0


class OpenSpielGame:
    """What games have in common, however their players move.

    Args:
        game: A ``pyspiel.Game``.

    Attributes:
        possible_agents: ``player_0`` and so on, by their seats.
        agents: Those who are in the game; none when it is over.
        state: The ``pyspiel.State``.
    """

    render_mode = "ansi"

    def __init__(self, game: Any) -> None:
        self._game = game
        self._kind = game.get_type()
        self._num_actions: int = game.num_distinct_actions()
        self.metadata = {"name": self._kind.short_name, "render_modes": [self.render_mode]}
        self.possible_agents = [f"player_{seat}" for seat in range(game.num_players())]
        self._seats = {agent: seat for seat, agent in enumerate(self.possible_agents)}
        observation = spaces.Dict(
            {
                "action_mask": spaces.Box(0, 1, (self._num_actions,), np.int8),
                # OpenSpiel says of no tensor what bounds it has.
                "observation": spaces.Box(-np.inf, np.inf, (tensor_size(game),), np.float32),
            }
        )
        self._observation_spaces = dict.fromkeys(self.possible_agents, observation)
        self._action_spaces = dict.fromkeys(self.possible_agents, spaces.Discrete(self._num_actions))
        self.agents: list[str] = []
        self.state: Any = None
        self._chance: Chance

    @property
    def unwrapped(self) -> OpenSpielGame:
        """The game itself: nothing wraps it."""
        return self

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent sees."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What an agent can do."""
        return self._action_spaces[agent]

    def observe(self, agent: str) -> Observation:
        """Show the state to an agent; its mask is empty when it is not to move."""
        seat = self._seats[agent]
        mask = np.zeros(self._num_actions, np.int8)
        mask[self.state.legal_actions(seat)] = 1
        numbers = np.array(tensor(self._kind, self.state, seat), np.float32)
        return {"action_mask": mask, "observation": numbers}

    def render(self) -> str:
        """Show the whole state as text."""
        return str(self.state)

    def close(self) -> None:
        """Free nothing: a game holds nothing but memory."""

    def _deal(self, seed: int | None) -> None:
        """Begin anew, and play chance."""
        seed = settled_seed(seed)
        self._chance = Chance(seed)
        self.state = seeded(self._game, seed).new_initial_state()
        self._chance.play(self.state)
        self.agents = list(self.possible_agents)

    def _infos(self) -> dict[str, dict[str, Any]]:
        """What each agent is told beside: the state as text, where there is one."""
        return {agent: {"text": text(self._kind, self.state, self._seats[agent])} for agent in self.agents}

    def _lost(self, agent: str) -> float:
        """What brings an agent's earnings down to the least that anybody can earn."""
        return float(self._game.min_utility()) - float(self.state.player_return(self._seats[agent]))


class TurnGame(OpenSpielGame):
    """A game whose players take turns, with the methods of PettingZoo's ``AECEnv``.

    An illegal move ends it: who made it earns the least that anybody can earn, the others nothing more.
    """

    def __init__(self, game: Any) -> None:
        super().__init__(game)
        self.agent_selection = self.possible_agents[0]
        self.rewards: dict[str, float] = {}
        self._cumulative_rewards: dict[str, float] = {}
        self.terminations: dict[str, bool] = {}
        self.truncations: dict[str, bool] = {}
        self.infos: dict[str, dict[str, Any]] = {}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a game."""
        self._deal(seed)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict(self.rewards)
        self._settle(is_over=self.state.is_terminal())

    def step(self, action: int | None) -> None:
        """Move for the agent to act; ``None`` takes one out of a game that is over."""
        agent = self.agent_selection
        if action is None:
            self._remove(agent)
            return
        self._cumulative_rewards[agent] = 0.0
        is_legal = action in self.state.legal_actions()
        if is_legal:
            self.state.apply_action(int(action))
            self._chance.play(self.state)
            self.rewards = dict(zip(self.agents, self.state.rewards(), strict=True))
        else:
            self.rewards = {**dict.fromkeys(self.agents, 0.0), agent: self._lost(agent)}
        for name, reward in self.rewards.items():
            self._cumulative_rewards[name] += reward
        self._settle(is_over=not is_legal or self.state.is_terminal())
        if not is_legal:
            self.infos[agent]["illegal_action"] = int(action)

    def _settle(self, is_over: bool) -> None:
        self.terminations = dict.fromkeys(self.agents, is_over)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = self._infos()
        self.agent_selection = self.possible_agents[0 if is_over else self.state.current_player()]

    def _remove(self, agent: str) -> None:
        self.agents.remove(agent)
        if self.agents:
            self.agent_selection = self.agents[0]


class JointGame(OpenSpielGame):
    """A game whose players move at once, with the methods of PettingZoo's ``ParallelEnv``.

    Moves of players who have none to make now are not read. An illegal move ends the game as in `TurnGame`.
    """

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin a game; returns what the agents see, and are told beside."""
        self._deal(seed)
        return {agent: self.observe(agent) for agent in self.agents}, self._infos()

    def step(
        self, actions: dict[str, int]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Move for all; returns observations, rewards, terminations, truncations and infos."""
        legal = {agent: self.state.legal_actions(self._seats[agent]) for agent in self.agents}
        offenders = [agent for agent in self.agents if legal[agent] and actions[agent] not in legal[agent]]
        if offenders:
            rewards = dict.fromkeys(self.agents, 0.0)
            rewards.update({agent: self._lost(agent) for agent in offenders})
        else:
            self._apply({agent: int(actions[agent]) for agent in self.agents if legal[agent]})
            rewards = dict(zip(self.agents, self.state.rewards(), strict=True))
        is_over = bool(offenders) or self.state.is_terminal()
        infos = self._infos()
        for agent in offenders:
            infos[agent]["illegal_action"] = int(actions[agent])
        observations = {agent: self.observe(agent) for agent in self.agents}
        terminations = dict.fromkeys(self.agents, is_over)
        truncations = dict.fromkeys(self.agents, False)
        if is_over:
            self.agents = []
        return observations, rewards, terminations, truncations, infos

    def _apply(self, moves: dict[str, int]) -> None:
        if self.state.is_simultaneous_node():
            self.state.apply_actions([moves.get(agent, _NO_MOVE) for agent in self.possible_agents])
        else:
            self.state.apply_action(moves[self.possible_agents[self.state.current_player()]])
        self._chance.play(self.state)
