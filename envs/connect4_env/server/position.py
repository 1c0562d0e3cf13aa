"""A position of Connect4 as two bitboards: immutable, and cheap enough to search.

Bit ``7 * column + height`` is the cell at that height, counted from the bottom; bit ``7 * column + 6`` stays
empty, so that no shift carries a line of discs from one column into the next.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from connect4_env.models import COLUMNS, ROWS

_STRIDE = ROWS + 1
_BOTTOM = sum(1 << (_STRIDE * column) for column in range(COLUMNS))
_FULL = _BOTTOM * ((1 << ROWS) - 1)
_TOP = [1 << (_STRIDE * column + ROWS - 1) for column in range(COLUMNS)]
_DIRECTIONS = (1, _STRIDE - 1, _STRIDE, _STRIDE + 1)  # vertical, falling, level, rising
_CELLS = np.array(
    [[_STRIDE * column + ROWS - 1 - row for column in range(COLUMNS)] for row in range(ROWS)], dtype=np.int64
)


class Position(NamedTuple):
    """Whose discs are where.

    Attributes:
        own: Cells of the player to move.
        other: Cells of the opponent, who moved last.
    """

    own: int = 0
    other: int = 0

    def legal_columns(self) -> list[int]:
        """List the columns with room."""
        taken = self.own | self.other
        return [column for column in range(COLUMNS) if not taken & _TOP[column]]

    def is_legal(self, column: int) -> bool:
        """Ask whether a disc can be dropped there; any integer may be asked for."""
        return 0 <= column < COLUMNS and not (self.own | self.other) & _TOP[column]

    def drop(self, column: int) -> Position:
        """Drop a disc of the player to move into a legal column; the other is to move then."""
        taken = self.own | self.other
        landing = taken + (1 << (_STRIDE * column))  # the carry runs up to the first empty cell
        return Position(self.other, self.own | (landing & ~taken))

    def after_pass(self) -> Position:
        """Let the other player move."""
        return Position(self.other, self.own)

    def last_mover_won(self) -> bool:
        """Ask whether the last move made four in a row."""
        for stride in _DIRECTIONS:
            pairs = self.other & (self.other >> stride)
            if pairs & (pairs >> (2 * stride)):
                return True
        return False

    def is_full(self) -> bool:
        """Ask whether no column has room."""
        return (self.own | self.other) == _FULL

    def board(self, own: int) -> NDArray[np.int8]:
        """Draw the board.

        Args:
            own: How the discs of the player to move count, 1 or -1.

        Returns:
            An array of shape (6, 7), the top row first.
        """
        mine, theirs = (np.int64(bits) >> _CELLS & 1 for bits in (self.own, self.other))
        return (own * (mine - theirs)).astype(np.int8)


EMPTY = Position()
