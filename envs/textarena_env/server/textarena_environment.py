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
from textarena_env.server.catalog import UnplayableGameError, takes
from textarena_env.server.episode import Episode
from textarena_env.server.game import Game, default_players
from textarena_env.server.opponents import make_opponent
from textarena_env.server.other_players import NoOtherPlayers, OtherPlayers, ServerPlayers

VERSION = "0.1.0"
_PATIENCE = 60.0

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

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        env_id: str | None = None,
        num_players: _Count = None,
        max_turns: _Count = None,
        opponent: str | _Script | None = None,
        seat: Annotated[int, Field(ge=0)] | None = None,
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
            seat: The player that the client plays against an opponent, by default 0.
            **options: The game's own options, such as ``num_guesses`` of Wordle.

        Raises:
            UnplayableGameError: There is no such game, or not like this; the message names what there is.
        """
        self.close()
        seed = random.randrange(2**32) if seed is None else seed
        own_game = env_id is None or env_id == self._env_id
        env_id = env_id or self._env_id
        options = {**(self._options if own_game else {}), **options}
        if own_game:
            num_players, max_turns = num_players or self._num_players, max_turns or self._max_turns
        if max_turns is not None and takes(env_id, "max_turns"):
            options["max_turns"], max_turns = max_turns, None
        game = Game(env_id, num_players or default_players(env_id), seed, options)
        others: OtherPlayers = NoOtherPlayers()
        if opponent is not None:
            others, seat = ServerPlayers(make_opponent(opponent, env_id, seed)), seat or 0
        if seat is not None and not (seat < game.num_players and opponent is not None):
            raise UnplayableGameError(
                f"seat {seat}: a game of {game.num_players}, and an opponent, are needed"
            )
        self._episode_id = episode_id or str(uuid4())
        self._episode = Episode(game, seat, others, max_turns)
        return self._episode.start(_PATIENCE)

    def step(  # type: ignore[override]
        self, action: TextArenaAction, timeout_s: float | None = None
    ) -> TextArenaObservation:
        """Say something as the player whose turn it is."""
        if self._episode is None:
            raise RuntimeError("no game has been started: call reset() first")
        return self._episode.act(action.message, _PATIENCE)

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
            max_turns=episode.max_turns,
            turn=game.turn,
            last_reward=episode.last_reward,
            last_info=episode.last_info,
            raw_state=game.describe(hidden=not (game.done or self._reveal_state)),
        )

    def snapshot(self) -> tuple[str | None, Episode | None]:
        """Copy the state; see `openenv_gym.server.Restorable`."""
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
