"""Who makes the moves of the players that a session does not play: nobody, the server, or other sessions."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from textarena_env.server.game import Game
from textarena_env.server.opponents import Opponent

# Games end by themselves long before; an opponent that never passes the turn must not hold the thread.
_MOST_MOVES_IN_A_ROW = 1000


class OtherPlayers(Protocol):
    """The other players of a game, as one of its sessions sees them."""

    def hold_game(self) -> AbstractContextManager[object]:
        """Keep everybody else off the game within the block, but for `await_turn`."""

    def await_turn(self, game: Game, seat: int, patience: float) -> str | None:
        """Return when it is a player's turn or the game is over.

        Args:
            game: The game.
            seat: The player.
            patience: Seconds to wait for others.

        Returns:
            Why nobody plays on, if so.
        """

    def leave(self) -> None:
        """Play no more."""


class NoOtherPlayers:
    """The session plays all players, or the game has only one."""

    def hold_game(self) -> AbstractContextManager[object]:
        """There is nobody to keep off."""
        return nullcontext()

    def await_turn(self, game: Game, seat: int, patience: float) -> str | None:
        """Return at once."""
        return None

    def leave(self) -> None:
        """There is nothing to leave."""


class ServerPlayers(NoOtherPlayers):
    """The server plays all players but one.

    Args:
        opponent: Chooses their moves.
    """

    def __init__(self, opponent: Opponent) -> None:
        self._opponent = opponent

    def await_turn(self, game: Game, seat: int, patience: float) -> str | None:
        """Make the others' moves."""
        for _ in range(_MOST_MOVES_IN_A_ROW):
            if game.done or game.cut_off or game.current_player == seat:
                return None
            game.step(self._opponent.choose(game))
        return f"the opponent made {_MOST_MOVES_IN_A_ROW} moves in a row"
