"""Stockfish as a child process: found, started, asked for moves, ended."""

from __future__ import annotations

import concurrent.futures
import os
import shutil

import chess
from chess.engine import EngineError, Limit, SimpleEngine

from openenv_gym.errors import EnvironmentFailedError, InvalidActionError

_PATIENCE = 20.0  # seconds for its start and its end, and for an answer beyond its time to think
_DEBIAN_GAMES = "/usr/games"
_OPTIONS = {"Threads": 1, "Hash": 4}  # in MiB: enough for shallow searches, and quickly cleared


class Stockfish:
    """A place for a process of Stockfish, which starts with the first use.

    It answers the same to the same game and depth, whatever it was asked before, unless time cuts its search:
    it has one thread, and a memory that is cleared before each move.
    """

    def __init__(self) -> None:
        self._engine: SimpleEngine | None = None

    def start(self) -> SimpleEngine:
        """Start it, if it does not run.

        Raises:
            InvalidActionError: It is not installed.
            EnvironmentFailedError: It does not start.
        """
        if self._engine is None:
            program = _find()
            try:
                self._engine = SimpleEngine.popen_uci(program, timeout=_PATIENCE, env={})
                self._engine.configure(_OPTIONS)
            except (OSError, EngineError, TimeoutError) as error:
                self.close()
                raise EnvironmentFailedError(f"Stockfish ({program}) does not start: {error}") from error
        return self._engine

    def choose(self, board: chess.Board, depth: int, seconds: float) -> chess.Move:
        """Choose a move.

        Args:
            board: A position that has one.
            depth: How many half-moves to look ahead.
            seconds: At most to think.

        Raises:
            EnvironmentFailedError: It gives none, or has died; the next use starts another.
        """
        engine = self.start()
        try:
            answer = engine.play(board, Limit(time=seconds, depth=depth), game=object())
        except (EngineError, TimeoutError) as error:
            self.close()
            raise EnvironmentFailedError(f"Stockfish gave no move: {error}") from error
        if answer.move is None:
            raise EnvironmentFailedError("Stockfish gave no move")
        return answer.move

    def close(self) -> None:
        """Kill the process, if there is one, and wait until it is gone."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
            concurrent.futures.wait([engine.returncode], timeout=_PATIENCE)


def _find() -> str:
    """Find the program: named by the environment variable ``STOCKFISH``, else on the path."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), _DEBIAN_GAMES])
    found = shutil.which(os.environ.get("STOCKFISH") or "stockfish", path=path)
    if found is None:
        raise InvalidActionError(
            "opponent='stockfish' needs Stockfish on the server: install it (apt-get install stockfish), or "
            "name the program in the environment variable STOCKFISH"
        )
    return found
