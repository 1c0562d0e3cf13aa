"""One episode: a game, the player that the session plays in it, and those who play the others."""

from __future__ import annotations

from typing import Any

from textarena_env.models import TextArenaObservation
from textarena_env.server.game import Game
from textarena_env.server.match import MatchPlayers
from textarena_env.server.other_players import OtherPlayers
from textarena_env.server.wordle_signals import WordleSignals

ONGOING, ABANDONED, TRUNCATED = "ongoing", "abandoned", "truncated"


class Episode:
    """A game as one session plays it.

    Args:
        game: The game.
        seat: The player that the session plays; ``None`` for all of them in turn.
        others: Who plays the others.

    Attributes:
        steps: Actions taken.
        last_reward: The last action's reward.
        last_info: The last observation's ``info``.
    """

    def __init__(self, game: Game, seat: int | None, others: OtherPlayers) -> None:
        self.game = game
        self.steps = 0
        self.last_reward = 0.0
        self.last_info: dict[str, Any] = {}
        self._seat = seat
        self._others = others
        self._signals = WordleSignals() if game.env_id.startswith("Wordle-") else None

    def start(self, patience: float) -> TextArenaObservation:
        """Wait for the player's first turn and show the game.

        Args:
            patience: Seconds to wait for others.
        """
        with self._others.hold_game():
            abandoned = self._await_turn(patience)
            return self._observe(self._viewer(), {}, abandoned)

    def act(self, message: str, patience: float) -> TextArenaObservation:
        """Say something, wait for the player's next turn and show the game.

        Args:
            message: What the player says.
            patience: Seconds to wait for others.
        """
        with self._others.hold_game():
            player = self._viewer()
            self.steps += 1
            valid = self.game.step(message)
            abandoned = self._await_turn(patience)
            report: dict[str, Any] = {"invalid_move": not valid}
            reward = self.game.rewards.get(player, 0.0)
            if self._signals is not None:
                history = self.game.state.game_state["guess_history"]
                report["reward_signals"] = self._signals.judge(message, history, valid=valid, reward=reward)
            return self._observe(player, report, abandoned)

    @property
    def shared(self) -> bool:
        """Whether other sessions play the same game."""
        return isinstance(self._others, MatchPlayers)

    def leave(self) -> None:
        """Play no more; other sessions of the same game learn of it."""
        self._others.leave()

    def _viewer(self) -> int:
        return self.game.current_player if self._seat is None else self._seat

    def _await_turn(self, patience: float) -> str | None:
        return None if self._seat is None else self._others.await_turn(self.game, self._seat, patience)

    def _observe(self, player: int, report: dict[str, Any], abandoned: str | None) -> TextArenaObservation:
        """Show the game to whose turn it is, and report to the player who has acted."""
        game = self.game
        outcome = game.outcome(player)
        if not game.done and (abandoned or game.cut_off):
            outcome = ABANDONED if abandoned else TRUNCATED
        report = {"outcome": outcome, **report}
        if game.done:
            report["reason"] = game.reason(player)
            report["rewards"] = {str(seat): reward for seat, reward in game.rewards.items()}
            report["outcomes"] = {str(seat): game.outcome(seat) for seat in range(game.num_players)}
        elif abandoned:
            report["reason"] = abandoned
        viewer = self._viewer()
        messages = game.observe(viewer)
        self.last_reward = game.rewards.get(player, 0.0)
        self.last_info = {**game.step_info, **report}
        return TextArenaObservation(
            prompt=game.prompt(viewer),
            messages=messages,
            current_player_id=game.current_player,
            legal_players=game.players,
            info=self.last_info,
            reward=self.last_reward,
            done=outcome != ONGOING,
            truncated=outcome in {ABANDONED, TRUNCATED},
            metadata={"env_id": game.env_id, "turn": game.turn, **report},
        )
