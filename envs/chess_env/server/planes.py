"""A chess position as a stack of planes, and its legal moves as a mask."""

from __future__ import annotations

import chess
import numpy as np
from numpy.typing import NDArray

from chess_env.models import NUM_MOVES, NUM_PLANES
from chess_env.move_table import move_to_index

_CASTLING, _EN_PASSANT, _REPETITION, _CLOCK = 12, 16, 17, 18
_CLOCK_LIMIT = 100  # half-moves without a capture or a pawn's move, then the game is drawn


def encode_position(board: chess.Board) -> NDArray[np.float32]:
    """Show a position as `ChessObservation.planes` describes it: shape (8, 8, 19), ranks first, 0 to 1."""
    own, other = board.turn, not board.turn
    masks = [board.pieces_mask(piece, color) for color in (own, other) for piece in chess.PIECE_TYPES]
    squares = np.unpackbits(np.array(masks, "<u8").view(np.uint8), bitorder="little").reshape(-1, 8, 8)
    planes = np.zeros((8, 8, NUM_PLANES), np.float32)
    planes[..., : len(masks)] = squares.transpose(1, 2, 0)
    if board.ep_square is not None:
        planes[chess.square_rank(board.ep_square), chess.square_file(board.ep_square), _EN_PASSANT] = 1
    if board.turn == chess.BLACK:
        planes = planes[::-1].copy()
    planes[..., _CASTLING : _CASTLING + 4] = [
        board.has_kingside_castling_rights(own),
        board.has_queenside_castling_rights(own),
        board.has_kingside_castling_rights(other),
        board.has_queenside_castling_rights(other),
    ]
    planes[..., _REPETITION] = board.is_repetition(2)
    planes[..., _CLOCK] = min(board.halfmove_clock / _CLOCK_LIMIT, 1.0)
    return planes


def mask_of(moves: list[chess.Move], color: chess.Color) -> NDArray[np.int8]:
    """Mark the numbers of a player's moves: int8, shape (4672,)."""
    mask = np.zeros(NUM_MOVES, np.int8)
    mask[[move_to_index(move, color) for move in moves]] = 1
    return mask
