"""Moves as numbers from 0 to 4671, AlphaZero's way: as the player to move sees the board.

``number = 73 * square + kind``, where squares count from a1 = 0, b1 = 1 to h8 = 63, for Black with the ranks
turned around. The kinds, as ranks up and files right:

===========  ==============================================================================================
0 to 55      like a queen, ``7 * direction + distance - 1``; directions N, NE, E, SE, S, SW, W, NW
56 to 63     like a knight: (2, 1), (1, 2), (-1, 2), (-2, 1), (-2, -1), (-1, -2), (1, -2), (2, -1)
64 to 72     a pawn's promotion to less than a queen, ``64 + 3 * piece + way``: knight, bishop, rook;
             to the left, straight on, to the right
===========  ==============================================================================================

A pawn that reaches the last rank by a queen's move becomes a queen. A king castles by its own two steps.
"""

from __future__ import annotations

import chess

from chess_env.models import NUM_MOVES

_KINDS = 73
_QUEEN_STEPS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
_KNIGHT_STEPS = ((2, 1), (1, 2), (-1, 2), (-2, 1), (-2, -1), (-1, -2), (1, -2), (2, -1))
_LESSER_PIECES = (chess.KNIGHT, chess.BISHOP, chess.ROOK)
_TURN_RANKS = 0o70  # a square's number with its rank turned around is this xor the number

_Way = tuple[int, int, int | None]  # from, to, promotion to less than a queen


def move_to_index(move: chess.Move, color: chess.Color) -> int:
    """Give the number of a legal move of a player."""
    turn = 0 if color == chess.WHITE else _TURN_RANKS
    promotion = None if move.promotion == chess.QUEEN else move.promotion
    return _NUMBERS[move.from_square ^ turn, move.to_square ^ turn, promotion]


def index_to_move(index: int, board: chess.Board) -> chess.Move | None:
    """Find the move of a number for the player to move.

    Args:
        index: 0 to 4671.
        board: The position; the move need not be legal in it.

    Returns:
        The move; ``None`` for a number that leads off the board.
    """
    way = _WAYS[index]
    if way is None:
        return None
    turn = 0 if board.turn == chess.WHITE else _TURN_RANKS
    start, end, promotion = way[0] ^ turn, way[1] ^ turn, way[2]
    if promotion is None and board.piece_type_at(start) == chess.PAWN and chess.square_rank(end) in (0, 7):
        promotion = chess.QUEEN
    return chess.Move(start, end, promotion)


def _kinds() -> list[tuple[int, int, int | None]]:
    """Ranks up, files right and promotion of each kind."""
    kinds: list[tuple[int, int, int | None]] = [
        (up * distance, right * distance, None) for up, right in _QUEEN_STEPS for distance in range(1, 8)
    ]
    kinds += [(up, right, None) for up, right in _KNIGHT_STEPS]
    kinds += [(1, right, piece) for piece in _LESSER_PIECES for right in (-1, 0, 1)]
    return kinds


def _ways() -> list[_Way | None]:
    kinds = _kinds()
    ways: list[_Way | None] = []
    for index in range(NUM_MOVES):
        square, kind = divmod(index, _KINDS)
        up, right, promotion = kinds[kind]
        rank, file = chess.square_rank(square) + up, chess.square_file(square) + right
        is_on_board = 0 <= rank < 8 and 0 <= file < 8 and (promotion is None or rank == 7)
        ways.append((square, chess.square(file, rank), promotion) if is_on_board else None)
    return ways


_WAYS = _ways()
_NUMBERS = {way: index for index, way in enumerate(_WAYS) if way is not None}
