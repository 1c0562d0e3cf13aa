"""Players that the server plays itself: a script of messages, or random legal moves."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.game import Game
from textarena_env.server.library import register


class Opponent(Protocol):
    """Says something whenever it is the turn of a player that the client does not play."""

    def choose(self, game: Game) -> str:
        """Choose the current player's next message; the game stays as it is."""


def make_opponent(how: str | list[str], env_id: str, seed: int) -> Opponent:
    """Make the opponent of one episode.

    Args:
        how: ``"random"``, or the messages of a script.
        env_id: The game.
        seed: Equal seeds give equal opponents.

    Raises:
        UnplayableGameError: There is none of this kind for the game.
    """
    if isinstance(how, list):
        if not how:
            raise UnplayableGameError("an opponent's script needs at least one message")
        return ScriptedOpponent(how)
    if how != "random":
        raise UnplayableGameError(f"opponent {how!r} is neither 'random' nor a list of messages")
    family = _family(env_id)
    if family not in _MOVES:
        known = ", ".join(sorted(_MOVES))
        raise UnplayableGameError(
            f"{env_id} has no random opponent, only {known}; give a list of messages instead"
        )
    return RandomOpponent(list(_MOVES[family]()), seed)


class ScriptedOpponent:
    """Says its messages one after the other, and the last one again for ever.

    Args:
        messages: At least one.
    """

    def __init__(self, messages: list[str]) -> None:
        self._messages = messages
        self._next = 0

    def choose(self, game: Game) -> str:
        """Choose the next message."""
        message = self._messages[min(self._next, len(self._messages) - 1)]
        self._next += 1
        return message


class RandomOpponent:
    """Plays a legal move at random; what is legal, a copy of the game says.

    Args:
        moves: All moves that the game knows.
        seed: Of its own random numbers.
    """

    def __init__(self, moves: list[str], seed: int) -> None:
        self._moves = moves
        self._random = random.Random(f"opponent {seed}")

    def choose(self, game: Game) -> str:
        """Choose a move; any, if the game knows no legal one."""
        order = self._random.sample(self._moves, len(self._moves))
        rehearsal = game.rehearsal()
        for move in order:
            if rehearsal.step(move):
                return move
            if rehearsal.done or rehearsal.current_player != game.current_player:
                rehearsal = game.rehearsal()  # a game that forgives nothing: it has gone on without this move
        return order[0]


def _family(env_id: str) -> str:
    """The module of a game among TextArena's, which its sizes and difficulties share."""
    entry_point: str = register()[env_id].entry_point
    return entry_point.split(".")[2]


def _texts(*texts: str) -> Iterable[str]:
    return [f"[{text}]" for text in texts]


def _numbers(count: int, pattern: str = "[{}]", places: int = 1) -> Iterator[str]:
    """Every way to fill a pattern's places with numbers below ``count``."""
    return (pattern.format(*values) for values in itertools.product(range(count), repeat=places))


def _along_lines(longest: int) -> Iterator[str]:
    """Every way across a chess board in one of the queen's directions, as ``[a2a3]``."""
    for file, rank, across, up in itertools.product(range(8), range(8), (-1, 0, 1), (-1, 0, 1)):
        for distance in range(1, longest + 1):
            end = file + distance * across, rank + distance * up
            if (across or up) and max(end) < 8 and min(end) >= 0:
                yield f"[{'abcdefgh'[file]}{rank + 1}{'abcdefgh'[end[0]]}{end[1] + 1}]"


_STEERING = ("up", "down", "left", "right")
# Some moves are for larger boards than a game's; those the game itself refuses.
_MOVES: dict[str, Callable[[], Iterable[str]]] = {
    "Battleship": lambda: [f"[{row}{column}]" for row in "ABCDEFGHIJKLMNOPQRST" for column in range(20)],
    "Breakthrough": lambda: _along_lines(1),
    "Chopsticks": lambda: [*_numbers(2, "[attack {} {}]", 2), *_numbers(10, "[split {} {}]", 2)],
    "ConnectFour": lambda: _numbers(15, "[col {}]"),
    "GameOfPureStrategy": lambda: _texts("A", *map(str, range(2, 11)), "J", "Q", "K"),
    "IndianPoker": lambda: _texts("check", "call", "fold", "bet 1", "raise 1"),
    "IteratedMatchingPennies": lambda: _texts("heads", "tails"),
    "IteratedPrisonersDilemma": lambda: _texts("Cooperate", "Defect"),
    "IteratedRockPaperScissors": lambda: _texts("rock", "paper", "scissors"),
    "IteratedStagHunt": lambda: _texts("stag", "hare"),
    "KuhnPoker": lambda: _texts("check", "bet", "call", "fold"),
    "LiarsDice": lambda: [*_texts("call"), *_numbers(7, "[bid: {}, {}]", 2)],
    "LinesOfAction": lambda: _along_lines(7),
    "MemoryGame": lambda: _numbers(8, "[{} {} {} {}]", 4),
    "Nim": lambda: _numbers(10, "[{} {}]", 2),
    "Othello": lambda: _numbers(14, "[{}, {}]", 2),
    "PigDice": lambda: _texts("roll", "hold"),
    "Poker": lambda: _texts("check", "call", "fold"),
    "QuantumTicTacToe": lambda: _numbers(9, "[{},{}]", 2),
    "ReverseTicTacToe": lambda: _numbers(9),
    "SimpleTak": lambda: _numbers(64),
    "Snake": lambda: _texts(*_STEERING),
    "Surround": lambda: _texts(*_STEERING),
    "ThreePlayerTicTacToe": lambda: _numbers(25),
    "TicTacToe": lambda: _numbers(9),
    "UltimateTicTacToe": lambda: _numbers(9, "[{} {}]", 2),
    "WildTicTacToe": lambda: [*_numbers(9, "[X {}]"), *_numbers(9, "[O {}]")],
}
