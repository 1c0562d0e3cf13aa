"""The TextArena environment itself."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from pydantic import Field

from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment
from textarena_env.models import TextArenaAction, TextArenaObservation, TextArenaState
from textarena_env.server.catalog import UnplayableGameError
from textarena_env.server.episode import Episode
from textarena_env.server.game import Game, default_players
from textarena_env.server.match import MATCHES, MatchPlayers
from textarena_env.server.opponents import make_opponent
from textarena_env.server.other_players import NoOtherPlayers, OtherPlayers, ServerPlayers

VERSION = "0.1.0"
_PATIENCE = 60.0
_PART_OF_DEADLINE = 0.9  # of a step's, that may pass with waiting for other players

_Count = Annotated[int, Field(ge=1)] | None
_Script = list[Annotated[str, Field(max_length=8192)]]


class TextArenaEnvironment(Environment[TextArenaAction, TextArenaObservation, TextArenaState]):
    """Any game of TextArena.

    Args:
        env_id: The game of episodes whose reset names none.
        num_players: Its number of players; by default as few as it takes.
        max_turns: Turns after which its episodes are truncated.
        env_kwargs: Its own options.
        reveal_state: Show secrets in `state` while a game is on, as OpenEnv's environment does.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"  # one dictionary for all sessions, and two of them can meet in one game

    def __init__(
        self,
        env_id: str = "Wordle-v0",
        *,
        num_players: int | None = None,
        max_turns: int | None = None,
        env_kwargs: dict[str, Any] | None = None,
        reveal_state: bool = False,
    ) -> None:
        super().__init__()
        self._env_id = env_id
        self._num_players = num_players
        self._max_turns = max_turns
        self._options = env_kwargs or {}
        self._reveal_state = reveal_state
        self._episode_id: str | None = None
        self._episode: Episode | None = None
        self._patience = _PATIENCE

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        env_id: str | None = None,
        num_players: _Count = None,
        max_turns: _Count = None,
        opponent: str | _Script | None = None,
        seat: Annotated[int, Field(ge=0)] | None = None,
        match: Annotated[str, Field(min_length=1, max_length=255)] | None = None,
        patience_s: Annotated[float, Field(gt=0, le=3600)] = _PATIENCE,
        **options: Any,
    ) -> TextArenaObservation:
        """Start a game.

        Args:
            seed: Equal seeds give equal games and opponents.
            episode_id: The episode's name; by default a random one.
            env_id: The game; by default the server's.
            num_players: How many play; by default as few as the game takes.
            max_turns: A turn limit: the game's own, or where it has none, one that truncates the episode.
            opponent: Who plays the other players: ``"random"``, or a list of messages to be said one after
                the other. ``None``: the client plays all.
            seat: The player that the client plays against an opponent (by default 0) or in a match (by
                default the first that is free).
            match: A name that other sessions give too, to play the same game. The first to come starts it.
            patience_s: Seconds to wait for the others of a match, whenever it is their turn.
            **options: The game's own options, such as ``num_guesses`` of Wordle.

        Raises:
            UnplayableGameError: There is no such game, or not like this; the message names what there is.
        """
        self.close()
        seed = random.randrange(2**32) if seed is None else seed
        own_game = env_id is None or env_id == self._env_id
        if own_game:
            num_players, max_turns = num_players or self._num_players, max_turns or self._max_turns
            options = {**self._options, **options}
        env_id = env_id or self._env_id

        def start() -> Game:
            return Game(env_id, num_players or default_players(env_id), seed, options, max_turns)

        if match is None:
            game, seat, others = self._seat_alone(start(), opponent, seat, seed)
        elif opponent is None:
            terms = {"env_id": env_id, "num_players": num_players, "max_turns": max_turns, **options}
            joined, seat = MATCHES.join(match, seat, terms, start)
            game, others = joined.game, MatchPlayers(joined, seat)
        else:
            raise UnplayableGameError(
                "the other seats of a match are for sessions that join it, not an opponent"
            )
        self._episode_id = episode_id or str(uuid4())
        self._episode = Episode(game, seat, others)
        self._patience = patience_s
        return self._episode.start(patience_s)

    @staticmethod
    def _seat_alone(
        game: Game, opponent: str | list[str] | None, seat: int | None, seed: int
    ) -> tuple[Game, int | None, OtherPlayers]:
        """Seat the session at a game of its own."""
        if opponent is None:
            if seat is not None:
                raise UnplayableGameError(f"seat {seat}: the other seats need an opponent, or a match")
            return game, None, NoOtherPlayers()
        seat = seat or 0
        if seat >= game.num_players:
            raise UnplayableGameError(f"there is no seat {seat} in a game of {game.num_players}")
        return game, seat, ServerPlayers(make_opponent(opponent, game.env_id, seed))

    def step(  # type: ignore[override]
        self, action: TextArenaAction, timeout_s: float | None = None
    ) -> TextArenaObservation:
        """Say something as the player whose turn it is."""
        if self._episode is None:
            raise RuntimeError("no game has been started: call reset() first")
        patience = self._patience if timeout_s is None else min(self._patience, _PART_OF_DEADLINE * timeout_s)
        return self._episode.act(action.message, patience)

    @property
    def state(self) -> TextArenaState:
        """The episode's bookkeeping; the game's secrets are in it once the game is over."""
        episode = self._episode
        if episode is None:
            return TextArenaState(
                env_id=self._env_id, num_players=self._num_players or 1, max_turns=self._max_turns
            )
        game = episode.game
        return TextArenaState(
            episode_id=self._episode_id,
            step_count=episode.steps,
            env_id=game.env_id,
            num_players=game.num_players,
            max_turns=game.max_turns,
            turn=game.turn,
            last_reward=episode.last_reward,
            last_info=episode.last_info,
            raw_state=game.describe(hidden=not (game.done or self._reveal_state)),
        )

    def snapshot(self) -> tuple[str | None, Episode | None]:
        """Copy the state; see `openenv_gym.server.Restorable`.

        Raises:
            RuntimeError: Other sessions play the same game.
        """
        if self._episode is not None and self._episode.shared:
            raise RuntimeError("a match has no snapshots: its other players would not go back")
        return self._episode_id, copy.deepcopy(self._episode)

    def restore(self, state: tuple[str | None, Episode | None]) -> None:
        """Take on a state that `snapshot` returned."""
        self._episode_id, self._episode = state[0], copy.deepcopy(state[1])

    def close(self) -> None:
        """Leave the game."""
        if self._episode is not None:
            self._episode.leave()
        self._episode = None

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="textarena_env",
            description="Any game of TextArena, Wordle first, offline and seeded, for one player or several",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )
