"""One game being played: the agent in its seat, opponents in the others, chance in between."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pyspiel

from openenv_gym.engines.open_spiel_states import Chance, seeded, settled_seed
from openspiel_env.server.opponents import Opponent

# What a player without a legal move puts into a joint move.
_NO_MOVE = 0


class Match:
    """A game from its start, played on until the agent is to move.

    Chance draws as OpenSpiel's own ``rl_environment.ChanceEventSampler(seed)`` does, so that equal seeds and
    moves give the game which that library's environment gives. Opponents draw from a generator of their own.

    Args:
        game: A ``pyspiel.Game``.
        agent_player: The agent's seat.
        opponent: Plays the other seats.
        seed: Of everything random; ``None`` draws one.

    Attributes:
        kind: The ``pyspiel.GameType``.
        state: The ``pyspiel.State``; to be read only.
        agent_player: As given.
        opponent_last_action: The last move of another seat in this game, ``None`` before there is one.
        num_moves: How many moves all seats have made, joint ones counting one.
    """

    def __init__(self, game: Any, agent_player: int, opponent: Opponent, seed: int | None) -> None:
        seed = settled_seed(seed)
        self._game = seeded(game, seed)
        self._chance = Chance(seed)
        self._others = np.random.RandomState([seed, 1])
        self._opponent = opponent
        self._earned = 0.0
        self._is_forfeited = False
        self.kind = self._game.get_type()
        self.agent_player = agent_player
        self.opponent_last_action: int | None = None
        self.num_moves = 0
        self.state = self._game.new_initial_state()
        self._chance.play(self.state)
        self._play_others()

    @property
    def is_over(self) -> bool:
        """Whether the game has ended, or the agent forfeited it."""
        return self._is_forfeited or bool(self.state.is_terminal())

    @property
    def current_player(self) -> int:
        """The seat to move; ``pyspiel.PlayerId`` has the negative ones."""
        return int(pyspiel.PlayerId.TERMINAL if self._is_forfeited else self.state.current_player())

    @property
    def returns(self) -> list[float]:
        """What each seat has earned in the game so far, as far as the game is decided."""
        earned = [float(value) for value in self.state.returns()]
        if self._is_forfeited:
            earned[self.agent_player] = self._earned
        return earned

    def legal_actions(self) -> list[int]:
        """The agent's legal moves; none when the game is over."""
        return [] if self._is_forfeited else list(self.state.legal_actions(self.agent_player))

    def play(self, action: int) -> float:
        """Make the agent's move, a legal one, and play on until it is to move again.

        Returns:
            What the agent earned by its own move and by those that followed.
        """
        before = self._earned
        if self.state.is_simultaneous_node():
            self._apply_joint(action)
        else:
            self._apply(action)
        self._play_others()
        return self._earned - before

    def forfeit(self) -> float:
        """End the game with the least that anybody can earn in it.

        Returns:
            What brings the agent's earnings down to that.
        """
        self._is_forfeited = True
        before, self._earned = self._earned, float(self._game.min_utility())
        return self._earned - before

    def clone(self) -> Match:
        """Copy the match as it is now: played alike, both go on alike."""
        twin = copy.copy(self)
        twin.state = self.state.clone()
        twin._chance, twin._others = copy.deepcopy(self._chance), copy.deepcopy(self._others)
        return twin

    def _play_others(self) -> None:
        while not self.state.is_terminal() and not self._is_agents_turn():
            if self.state.is_simultaneous_node():
                self._apply_joint(_NO_MOVE)
                continue
            player = self.state.current_player()
            action = self._opponent(self.state, player, self._others)
            self.opponent_last_action = action
            self._apply(action)

    def _is_agents_turn(self) -> bool:
        if self.state.is_simultaneous_node():
            return bool(self.state.legal_actions(self.agent_player))
        return bool(self.state.current_player() == self.agent_player)

    def _apply(self, action: int) -> None:
        self.state.apply_action(action)
        self._settle()

    def _apply_joint(self, action: int) -> None:
        """Apply a move of all seats at once, the agent's being given."""
        joint = []
        for player in range(self._game.num_players()):
            if player == self.agent_player:
                joint.append(action)
            elif self.state.legal_actions(player):
                self.opponent_last_action = self._opponent(self.state, player, self._others)
                joint.append(self.opponent_last_action)
            else:
                joint.append(_NO_MOVE)
        self.state.apply_actions(joint)
        self._settle()

    def _settle(self) -> None:
        self.num_moves += 1
        self._chance.play(self.state)
        self._earned += self.state.player_reward(self.agent_player)
