"""The bitboards against a board of plain numbers, and the search against one that prunes nothing."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connect4_env.server.opponents import minimax_move
from connect4_env.server.position import EMPTY, Position

games = st.lists(st.integers(0, 6), max_size=60)


class PlainBoard:
    """The rules, written down as one would on paper."""

    def __init__(self) -> None:
        self.cells = np.zeros((6, 7), int)

    def drop(self, column: int, player: int) -> None:
        row = max(row for row in range(6) if self.cells[row, column] == 0)
        self.cells[row, column] = player

    def has_four(self, player: int) -> bool:
        return any(
            all(
                0 <= row + down * n < 6
                and 0 <= column + right * n < 7
                and self.cells[row + down * n, column + right * n] == player
                for n in range(4)
            )
            for row in range(6)
            for column in range(7)
            for down, right in ((0, 1), (1, 0), (1, 1), (-1, 1))
        )

    def legal_columns(self) -> list[int]:
        return [column for column in range(7) if self.cells[0, column] == 0]


@given(games)
def test_every_game_goes_as_on_paper(columns: list[int]) -> None:
    position, paper, player = EMPTY, PlainBoard(), 1
    for column in columns:
        assert position.legal_columns() == paper.legal_columns()
        assert position.is_legal(column) == (column in paper.legal_columns())
        if not position.is_legal(column):
            continue
        position = position.drop(column)
        paper.drop(column, player)
        player = -player
        assert position.board(player).tolist() == paper.cells.tolist()
        assert position.board(1).tolist() == (player * paper.cells).tolist()
        assert position.last_mover_won() == paper.has_four(-player)
        assert position.is_full() == (not paper.legal_columns())
        if position.last_mover_won():
            break


def played(columns: str) -> Position:
    position = EMPTY
    for column in columns:
        position = position.drop(int(column))
    return position


def wins_by_force(position: Position, moves: int) -> bool:
    """Whether the player to move can win within so many moves of either side, found without pruning."""
    for column in position.legal_columns():
        after = position.drop(column)
        if after.last_mover_won():
            return True
        if moves > 2 and after.legal_columns():
            answers = [after.drop(answer) for answer in after.legal_columns()]
            if all(not a.last_mover_won() and wins_by_force(a, moves - 2) for a in answers):
                return True
    return False


def test_minimax_wins_where_it_can_and_blocks_where_it_must() -> None:
    rng = random.Random(1)
    assert minimax_move(played("001122"), 1, rng) == 3
    assert minimax_move(played("010203"), 1, rng) == 0
    assert minimax_move(played("00112"), 2, rng) == 3


@given(games, st.randoms(use_true_random=False))
def test_minimax_finds_every_forced_win(columns: list[int], rng: random.Random) -> None:
    position = EMPTY
    for column in columns:
        if position.is_legal(column) and not position.drop(column).last_mover_won():
            position = position.drop(column)
    if position.is_full() or not wins_by_force(position, 3):
        return
    after = position.drop(minimax_move(position, 3, rng))
    assert after.last_mover_won() or all(
        not answer.last_mover_won() and wins_by_force(answer, 1)
        for answer in map(after.drop, after.legal_columns())
    )
