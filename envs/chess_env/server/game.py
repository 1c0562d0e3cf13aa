"""One game of chess as an episode: all that the next steps depend on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import chess

from chess_env.models import ChessAction
from chess_env.move_table import index_to_move
from chess_env.server.opponents import Opponent
from openenv_gym.errors import InvalidActionError

Result = Literal["1-0", "0-1", "1/2-1/2"]
DRAW: Result = "1/2-1/2"


@dataclass
class Game:
    """A game and its limits.

    Attributes:
        episode_id: The episode's name.
        board: The position, with all moves that led to it.
        rng: Of all draws by lot.
        opponent: Who plays the other side; ``None`` is the agent.
        max_moves: Half-moves and illegal attempts after which the game is called off.
        illegal_loses: Whether an illegal move loses the game.
        illegal_moves: Illegal attempts so far.
        result: How it ended; ``None`` while it goes on.
        is_called_off: Whether the limit ended it.
    """

    episode_id: str
    board: chess.Board
    rng: random.Random
    opponent: Opponent | None
    max_moves: int
    illegal_loses: bool
    illegal_moves: int = 0
    result: Result | None = None
    is_called_off: bool = False

    @property
    def half_moves(self) -> int:
        """How many moves both sides made."""
        return len(self.board.move_stack)

    def parse(self, action: ChessAction) -> chess.Move | None:
        """Read a move of the player to move; ``None`` for one that is not legal, or no move at all."""
        if action.move_index is not None:
            move = index_to_move(action.move_index, self.board)
        else:
            try:
                move = chess.Move.from_uci(action.move)
            except chess.InvalidMoveError:
                return None
        return move if move is not None and self.board.is_legal(move) else None

    def play(self, move: chess.Move) -> None:
        """Make a legal move, and see whether that ends the game."""
        self.board.push(move)
        self.result = outcome(self.board)

    def forfeit(self) -> None:
        """Let the player to move lose."""
        self.result = "0-1" if self.board.turn == chess.WHITE else "1-0"

    def keep_limit(self) -> None:
        """Call the game off, as a draw, when it goes on and its limit is reached."""
        if self.result is None and self.half_moves + self.illegal_moves >= self.max_moves:
            self.result, self.is_called_off = DRAW, True


def outcome(board: chess.Board) -> Result | None:
    """Tell how a game has ended: by mate, or drawn without anybody claiming it.

    Drawn are a stalemate, positions that nobody can win, the third repetition of a position, and 50 moves of
    both sides without a capture or a pawn's move.
    """
    if board.is_checkmate():
        return "0-1" if board.turn == chess.WHITE else "1-0"
    is_drawn = (
        board.is_stalemate()
        or board.is_insufficient_material()
        or board.is_fifty_moves()
        or board.is_repetition(3)
    )
    return DRAW if is_drawn else None


def starting_board(fen: str | None) -> chess.Board:
    """Set up the board.

    Args:
        fen: Where to start; ``None`` for the usual position.

    Raises:
        InvalidActionError: It is no position, cannot come about in a game, or the game is over in it.
    """
    if fen is None:
        return chess.Board()
    try:
        board = chess.Board(fen)
    except ValueError as error:
        raise InvalidActionError(f"fen is no position: {error}") from None
    if not board.is_valid():
        # An engine may crash on a board that has, say, no king.
        faults = ", ".join(flag.name.lower() for flag in chess.Status if flag & board.status() and flag.name)
        raise InvalidActionError(f"fen is a position that cannot come about: {faults}")
    if outcome(board) is not None:
        raise InvalidActionError("fen is a position in which the game is over")
    return board
