"""The Chess environment itself."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import chess
from annotated_types import Ge, Interval, MaxLen

from chess_env.models import ChessAction, ChessObservation, ChessState
from chess_env.server.game import DRAW, Game, starting_board
from chess_env.server.opponents import Opponent
from chess_env.server.planes import encode_position, mask_of
from chess_env.server.stockfish import Stockfish
from openenv_gym.errors import EnvironmentFailedError, InvalidActionError, NotResetError
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment

VERSION = "0.1.0"

_ILLEGAL_MOVE = -0.1


class ChessEnvironment(Environment[ChessAction, ChessObservation, ChessState]):
    """Chess by python-chess's rules, against an opponent or oneself."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"  # the opponent may think
    MAX_SESSIONS = 64  # each may have a Stockfish, which takes 75 MiB

    def __init__(self) -> None:
        super().__init__()
        self._game: Game | None = None
        self._engine = Stockfish()

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        fen: Annotated[str, MaxLen(128)] | None = None,
        opponent: Literal["random", "stockfish"] | None = "random",
        agent_color: Literal["white", "black"] | None = None,
        opponent_depth: Annotated[int, Interval(ge=1, le=20)] = 2,
        opponent_time: Annotated[float, Interval(gt=0, le=60)] = 5.0,
        opponent_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
        max_moves: Annotated[int, Ge(1)] = 500,
        illegal_move: Literal["penalty", "loss"] = "penalty",
    ) -> ChessObservation:
        """Start a game.

        Args:
            seed: Of the agent's side, and of the opponent's draws.
            episode_id: A name for the episode.
            fen: The position to start from.
            opponent: Who plays the other side; ``None`` is the agent.
            agent_color: Against an opponent; ``None`` is drawn by the seed.
            opponent_depth: Half-moves that Stockfish looks ahead.
            opponent_time: Seconds it may think a move; where that cuts its search, games do not repeat.
            opponent_noise: The share of its moves that are random.
            max_moves: Half-moves, illegal attempts included, after which the game is truncated.
            illegal_move: Whether one costs a penalty, or the game.

        Raises:
            InvalidActionError: The game cannot start so, or Stockfish is not installed.
        """
        game = Game(
            episode_id=episode_id or str(uuid4()),
            board=starting_board(fen),
            rng=random.Random(seed),
            opponent=opponent and Opponent(opponent, opponent_depth, opponent_time, opponent_noise),
            max_moves=max_moves,
            illegal_loses=illegal_move == "loss",
        )
        color = agent_color or game.rng.choice(["white", "black"])
        if opponent == "stockfish":
            self._engine.start()
        if opponent is not None and color != chess.COLOR_NAMES[game.board.turn]:
            self._answer(game)
            if game.result is not None:
                raise InvalidActionError("the opponent's first move ends the game: give another fen")
        self._game = game
        return _observe(game, reward=0.0)

    def step(  # type: ignore[override]
        self, action: ChessAction, timeout_s: float | None = None
    ) -> ChessObservation:
        """Make a move for the player to move; then the opponent, if there is one, makes one."""
        game = self._game
        if game is None:
            raise NotResetError("call reset() before step()")
        move = game.parse(action)
        if move is None:
            return _refuse(game)
        agent = game.board.turn
        game.play(move)
        if game.result is None:
            self._answer(game)
        game.keep_limit()
        if game.result is None or game.result == DRAW:
            return _observe(game, reward=0.0)
        has_won = (game.result == "1-0") == (agent == chess.WHITE)
        return _observe(game, reward=1.0 if has_won else -1.0)

    @property
    def state(self) -> ChessState:
        """The episode's id, the half-moves played, the position and how it came about."""
        game = self._game
        if game is None:
            return ChessState()
        return ChessState(
            episode_id=game.episode_id,
            step_count=game.half_moves,
            fen=game.board.fen(),
            current_player=chess.COLOR_NAMES[game.board.turn],
            move_history=[move.uci() for move in game.board.move_stack],
        )

    def snapshot(self) -> Game | None:
        """Copy the state; see `openenv_gym.server.Restorable`."""
        return copy.deepcopy(self._game)

    def restore(self, state: Game | None) -> None:
        """Take on a state that `snapshot` returned."""
        self._game = copy.deepcopy(state)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="chess_env",
            description="Chess against a random mover, Stockfish or oneself",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    def close(self) -> None:
        """End Stockfish."""
        self._engine.close()

    def _answer(self, game: Game) -> None:
        """Let the opponent move, if there is one; where it fails, the agent's move is taken back."""
        if game.opponent is None:
            return
        try:
            move = game.opponent.choose(game.board, game.rng, self._engine)
        except EnvironmentFailedError:
            if game.half_moves:
                game.board.pop()
            raise
        game.play(move)


def _refuse(game: Game) -> ChessObservation:
    """Answer an illegal move: the position stays."""
    game.illegal_moves += 1
    if game.illegal_loses:
        game.forfeit()
        return _observe(game, reward=-1.0, illegal_move=True)
    game.keep_limit()
    return _observe(game, reward=_ILLEGAL_MOVE, illegal_move=True)


def _observe(game: Game, reward: float, **remarks: Any) -> ChessObservation:
    board = game.board
    moves = list(board.legal_moves)
    return ChessObservation(
        fen=board.fen(),
        legal_moves=[move.uci() for move in moves],
        is_check=board.is_check(),
        result=game.result,
        planes=encode_position(board),
        action_mask=mask_of(moves, board.turn),
        reward=reward,
        done=game.result is not None,
        truncated=game.is_called_off,
        metadata={
            "fullmove_number": board.fullmove_number,
            "halfmove_clock": board.halfmove_clock,
            **remarks,
        },
    )
