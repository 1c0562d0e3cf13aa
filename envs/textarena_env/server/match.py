"""Matches: games that several sessions of one server play together, each its own player."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.game import Game


class Match:
    """One game, and the sessions that play it.

    Args:
        game: The game.
        terms: What it is: whoever joins must ask for the same.
    """

    def __init__(self, game: Game, terms: dict[str, Any]) -> None:
        self.game = game
        self.terms = terms
        self.turn_changed = threading.Condition()
        self.seats: set[int] = set()
        self.abandoned: str | None = None

    @property
    def over(self) -> bool:
        """Whether nobody can join any more."""
        return self.game.done or self.game.cut_off or self.abandoned is not None


class MatchPlayers:
    """The other sessions of a match, as one of them sees them.

    Args:
        match: The match.
        seat: The player that this session is.
    """

    def __init__(self, match: Match, seat: int) -> None:
        self._match = match
        self._seat = seat

    def hold_game(self) -> AbstractContextManager[object]:
        """Keep the others off the game within the block, but for `await_turn`."""
        return self._match.turn_changed

    def await_turn(self, game: Game, seat: int, patience: float) -> str | None:
        """Wait for the others' moves."""
        match, give_up_at = self._match, time.monotonic() + patience
        match.turn_changed.notify_all()
        while not match.over and game.current_player != seat:
            if not match.turn_changed.wait(give_up_at - time.monotonic()):
                awaited = game.current_player
                missing = "has not moved" if awaited in match.seats else "has not come"
                self._abandon(f"player {awaited} {missing} within {patience:g} s")
        return match.abandoned

    def leave(self) -> None:
        """Leave; the others' episodes end, unless the game is over."""
        with self._match.turn_changed:
            self._match.seats.discard(self._seat)
            if not self._match.over:
                self._abandon(f"player {self._seat} has left")

    def _abandon(self, reason: str) -> None:
        self._match.abandoned = reason
        self._match.turn_changed.notify_all()


class Matches:
    """The matches of one process, by the names that clients have agreed upon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._matches: dict[str, Match] = {}

    def join(
        self, name: str, seat: int | None, terms: dict[str, Any], start: Callable[[], Game]
    ) -> tuple[Match, int]:
        """Join a match, or begin it.

        Args:
            name: Its name.
            seat: The player to be; by default the first that is free.
            terms: What the game must be.
            start: Starts the game, for whoever comes first.

        Returns:
            The match, and the player.

        Raises:
            UnplayableGameError: The match is of another game, has ended, or the seat is taken.
        """
        with self._lock:
            self._matches = {key: match for key, match in self._matches.items() if not match.over}
            match = self._matches.get(name) or Match(start(), terms)
            differing = sorted(
                key for key in {*terms, *match.terms} if match.terms.get(key) != terms.get(key)
            )
            if differing:
                raise UnplayableGameError(f"the match {name!r} is of another {', '.join(differing)}")
            with match.turn_changed:
                if match.over:
                    raise UnplayableGameError(f"the match {name!r} has just ended")
                free = set(range(match.game.num_players)) - match.seats
                if not free or (seat is not None and seat not in free):
                    raise UnplayableGameError(
                        f"the match {name!r} has no free seat {'' if seat is None else seat}".rstrip()
                    )
                seat = min(free) if seat is None else seat
                match.seats.add(seat)
            self._matches[name] = match
        return match, seat


MATCHES = Matches()
