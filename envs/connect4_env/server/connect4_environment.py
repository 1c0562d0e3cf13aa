"""The Connect4 environment itself."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import numpy as np
from annotated_types import Interval

from connect4_env.models import COLUMNS, Connect4Action, Connect4Observation, Connect4State
from connect4_env.server.opponents import minimax_move, random_move
from connect4_env.server.position import EMPTY, Position
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment

VERSION = "0.1.0"
MAX_DEPTH = 6  # takes about a tenth of a second a move

Opponent = Literal["random", "minimax"]
_WIN, _LOSS, _DRAW, _FOUL = 1.0, -1.0, 0.0, -1.0


@dataclass
class _Game:
    """An episode: all that the next steps depend on.

    Attributes:
        player: Whose turn it is, 1 or -1.
        winner: 1, -1, or 0 for a draw; ``None`` while the game goes on.
    """

    episode_id: str
    rng: random.Random
    opponent: Opponent | None
    depth: int
    position: Position = EMPTY
    player: int = 1
    steps: int = 0
    winner: int | None = None


class Connect4Environment(Environment[Connect4Action, Connect4Observation, Connect4State]):
    """Four in a row on 6 rows and 7 columns. By default the agent plays both sides in turn."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"  # the opponent may think

    def __init__(self) -> None:
        super().__init__()
        self._game = _Game("", random.Random(0), None, 1)

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        opponent: Opponent | None = None,
        opponent_depth: Annotated[int, Interval(ge=1, le=MAX_DEPTH)] = 4,
        agent_player: Literal[1, -1] | None = 1,
    ) -> Connect4Observation:
        """Start a game.

        Args:
            seed: Of the opponent's draws, and of who begins.
            episode_id: A name for the episode.
            opponent: Who plays the other side; ``None`` is the agent.
            opponent_depth: How many moves ``"minimax"`` looks ahead, 1 to 6.
            agent_player: Against an opponent: 1 begins, -1 is second, ``None`` is drawn by lot.
        """
        rng = random.Random(seed)
        self._game = game = _Game(episode_id or str(uuid4()), rng, opponent, opponent_depth)
        if agent_player is None:
            agent_player = rng.choice([1, -1])
        if opponent is not None and agent_player == -1:
            self._opponent_moves(game)
        return self._observe(game, reward=0.0)

    def step(  # type: ignore[override]
        self, action: Connect4Action, timeout_s: float | None = None
    ) -> Connect4Observation:
        """Drop a disc for the player to move; then the opponent, if there is one, drops one."""
        game = self._game
        agent = game.player
        game.steps += 1
        if not game.position.is_legal(action.column):
            game.winner = game.player = -agent
            game.position = game.position.after_pass()
            return self._observe(game, reward=_FOUL, illegal_move=True)
        _drop(game, action.column)
        if game.winner is None and game.opponent is not None:
            self._opponent_moves(game)
        if game.winner is None:
            return self._observe(game, reward=0.0)
        return self._observe(game, reward={agent: _WIN, -agent: _LOSS, 0: _DRAW}[game.winner])

    @property
    def state(self) -> Connect4State:
        """The episode's id, its steps, the board and whose turn it is."""
        game = self._game
        return Connect4State(
            episode_id=game.episode_id or None,
            step_count=game.steps,
            board=game.position.board(game.player).tolist(),
            next_player=game.player,
        )

    def snapshot(self) -> _Game:
        """Copy the state; see `openenv_gym.server.Restorable`."""
        return copy.deepcopy(self._game)

    def restore(self, state: _Game) -> None:
        """Take on a state that `snapshot` returned."""
        self._game = copy.deepcopy(state)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="connect4_env",
            description="Four in a row, by self-play or against an opponent",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    def _opponent_moves(self, game: _Game) -> None:
        if game.opponent == "random":
            column = random_move(game.position, game.rng)
        else:
            column = minimax_move(game.position, game.depth, game.rng)
        _drop(game, column)

    def _observe(self, game: _Game, reward: float, **remarks: Any) -> Connect4Observation:
        columns = game.position.legal_columns()
        mask = np.zeros(COLUMNS, np.int8)
        mask[columns] = 1
        if game.winner is not None:
            remarks["winner"] = game.winner
        return Connect4Observation(
            board=game.position.board(game.player),
            legal_actions=columns,
            canonical_board=game.position.board(1),
            action_mask=mask,
            reward=reward,
            done=game.winner is not None,
            metadata={"next_player": game.player, **remarks},
        )


def _drop(game: _Game, column: int) -> None:
    """Drop a disc for the player to move, and see whether that ends the game."""
    game.position = game.position.drop(column)
    if game.position.last_mover_won():
        game.winner = game.player
    elif game.position.is_full():
        game.winner = 0
    game.player = -game.player
