"""The opponents one can play against: functions from a position and a generator to a legal column."""

from __future__ import annotations

import random

from connect4_env.models import COLUMNS, ROWS
from connect4_env.server.position import Position

_WIN = 10_000  # more than any sum of the weights below
# The middle first: good moves early make the search short.
_ORDER = sorted(range(COLUMNS), key=lambda column: abs(column - COLUMNS // 2))


def random_move(position: Position, rng: random.Random) -> int:
    """Choose any legal column."""
    return rng.choice(position.legal_columns())


def minimax_move(position: Position, depth: int, rng: random.Random) -> int:
    """Choose the best column by looking ahead; equally good ones are drawn by lot.

    Args:
        position: It has a legal column.
        depth: How many moves to look ahead, at least 1.
        rng: Draws the lot.
    """
    scores = {
        column: -_negamax(position.drop(column), depth - 1, -2 * _WIN, 2 * _WIN)
        for column in position.legal_columns()
    }
    best = max(scores.values())
    return rng.choice([column for column, score in scores.items() if score == best])


def _negamax(position: Position, depth: int, alpha: int, beta: int) -> int:
    """Value of a position for the player to move, within the bounds; a nearer win counts more."""
    if position.last_mover_won():
        return -_WIN - depth
    if position.is_full():
        return 0
    if depth == 0:
        return _estimate(position)
    for column in _ORDER:
        if position.is_legal(column):
            alpha = max(alpha, -_negamax(position.drop(column), depth - 1, -beta, -alpha))
            if alpha >= beta:
                break
    return alpha


def _lines_through_cells() -> list[tuple[int, int]]:
    """Cells by the number of possible fours that they are part of, as pairs of that number and a bitboard."""
    boards: dict[int, int] = {}
    for column in range(COLUMNS):
        for height in range(ROWS):
            count = sum(
                all(
                    0 <= column + dx * (start + step) < COLUMNS and 0 <= height + dy * (start + step) < ROWS
                    for step in range(4)
                )
                for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1))
                for start in range(-3, 1)
            )
            boards[count] = boards.get(count, 0) | 1 << ((ROWS + 1) * column + height)
    return list(boards.items())


_WEIGHTED_CELLS = _lines_through_cells()


def _estimate(position: Position) -> int:
    """Sum up the possible fours through one's own cells, less those through the other's."""
    return sum(
        weight * ((position.own & cells).bit_count() - (position.other & cells).bit_count())
        for weight, cells in _WEIGHTED_CELLS
    )
