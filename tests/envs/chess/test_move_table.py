"""Moves as numbers, and positions as planes: both keep all that they stand for."""

from __future__ import annotations

import random
from collections.abc import Iterator

import chess
import numpy as np
import pytest

from chess_env.models import NUM_MOVES
from chess_env.move_table import index_to_move, move_to_index
from chess_env.server.planes import encode_position, mask_of

PROMOTING = "1n2k2r/P1P4p/8/8/8/8/p1p4P/1N2K2R w Kk - 0 1"


def positions(count: int) -> Iterator[chess.Board]:
    """Positions of random games, from the usual start and from one with many promotions."""
    rng = random.Random(1)
    for number in range(count):
        board = chess.Board(PROMOTING) if number % 2 else chess.Board()
        for _ in range(rng.randrange(60)):
            if board.is_game_over():
                break
            board.push(rng.choice(list(board.legal_moves)))
        yield board


def test_every_legal_move_has_a_number_of_its_own_and_comes_back_from_it() -> None:
    for board in positions(200):
        numbers = {move_to_index(move, board.turn): move for move in board.legal_moves}
        assert len(numbers) == board.legal_moves.count()
        assert {number: index_to_move(number, board) for number in numbers} == numbers
        assert np.flatnonzero(mask_of(list(board.legal_moves), board.turn)).tolist() == sorted(numbers)


def test_as_many_numbers_as_there_are_ways_stay_on_the_board() -> None:
    moves = [index_to_move(index, chess.Board()) for index in range(NUM_MOVES)]
    # From all squares 1,456 queen's and 336 knight's moves; 22 promotions, to three pieces each.
    assert sum(move is not None for move in moves) == 1456 + 336 + 66


@pytest.mark.parametrize(
    ("fen", "move", "number"),
    [
        (chess.STARTING_FEN, "e2e4", 73 * 12 + 1),
        (chess.STARTING_FEN, "b1c3", 73 * 1 + 56),
        ("4k3/8/8/8/8/8/8/R3K3 w Q - 0 1", "e1c1", 73 * 4 + 7 * 6 + 1),
        (PROMOTING, "a7b8n", 73 * 48 + 64 + 2),
        (PROMOTING, "a7b8q", 73 * 48 + 7),
        ("rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1", "e7e5", 73 * 12 + 1),
    ],
    ids=["pawn", "knight", "castle", "underpromote", "promote", "black-pawn"],
)
def test_numbers_are_as_documented(fen: str, move: str, number: int) -> None:
    board = chess.Board(fen)
    assert move_to_index(chess.Move.from_uci(move), board.turn) == number
    assert index_to_move(number, board) == chess.Move.from_uci(move)


def read_position(planes: np.ndarray, turn: chess.Color) -> chess.Board:
    """The position that planes show, without its move counters."""
    board = chess.Board(None)
    board.turn = chess.WHITE
    for rank in range(8):
        for file in range(8):
            for kind in np.flatnonzero(planes[rank, file, :12]):
                color = chess.WHITE if kind < 6 else chess.BLACK
                board.set_piece_at(chess.square(file, rank), chess.Piece(int(kind) % 6 + 1, color))
            if planes[rank, file, 16]:
                board.ep_square = chess.square(file, rank)
    corners = (chess.BB_H1, chess.BB_A1, chess.BB_H8, chess.BB_A8)
    board.castling_rights = sum(
        corner for corner, has in zip(corners, planes[0, 0, 12:16], strict=True) if has
    )
    return board if turn == chess.WHITE else board.mirror()


def test_planes_show_the_whole_position_to_whoever_moves() -> None:
    for board in positions(100):
        planes = encode_position(board)
        assert planes.dtype == np.float32 and planes.shape == (8, 8, 19)
        shown = read_position(planes, board.turn)
        assert shown.epd(en_passant="fen") == board.epd(en_passant="fen")
        assert (planes[..., 18] == np.float32(board.halfmove_clock / 100)).all()


def test_planes_tell_repetitions() -> None:
    board = chess.Board()
    told = []
    for move in ["g1f3", "g8f6", "f3g1", "f6g8", "g1f3"]:
        board.push_uci(move)
        told.append(encode_position(board)[0, 0, 17])
    assert told == [0, 0, 0, 1, 1]
