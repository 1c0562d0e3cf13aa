"""One game of TextArena in progress, with random numbers of its own."""

from __future__ import annotations

import copy
import functools
import logging
import sys
import threading
from contextlib import nullcontext
from numbers import Real
from typing import Any

from pydantic_core import to_jsonable_python

from textarena_env.models import TextArenaMessage
from textarena_env.server.catalog import UnplayableGameError, check_options, find_game, takes
from textarena_env.server.library import make_game, textarena
from textarena_env.server.scoped_random import Generators
from textarena_env.server.transcript import convert_messages

logger = logging.getLogger(__name__)

_MOST_PLAYERS = 15
_PENALTY = -1.0
_sokobans = threading.Lock()  # they build their rooms in global variables
_ONGOING, _WIN, _LOSS, _DRAW, _INVALID = "ongoing", "win", "loss", "draw", "invalid"


class Game:
    """A game from its start to its end.

    Args:
        env_id: Its id in TextArena's register.
        num_players: How many play.
        seed: Equal seeds give equal games, whatever else this process plays.
        options: The game's own options, such as ``num_guesses`` of Wordle.
        max_turns: A turn limit: the game's own, or where it has none, one that cuts it off.

    Attributes:
        max_turns: The limit that cuts it off, if it has one.

    Raises:
        UnplayableGameError: It is unknown, cannot be played here, or not by so many or with these options.
    """

    def __init__(
        self,
        env_id: str,
        num_players: int,
        seed: int,
        options: dict[str, Any],
        max_turns: int | None = None,
    ) -> None:
        find_game(env_id)
        check_options(env_id, options)
        if max_turns is not None and takes(env_id, "max_turns"):
            options, max_turns = {**options, "max_turns": max_turns}, None
        self.max_turns = max_turns
        self.env_id = env_id
        self.num_players = num_players
        self._random = Generators(seed)
        self._env = _start(env_id, num_players, seed, options, self._random)
        self._prompts: dict[int, str] = {}

    @property
    def state(self) -> Any:
        """TextArena's own state of the game."""
        return self._env.state

    @property
    def done(self) -> bool:
        """Whether the game is over."""
        return bool(self.state.done)

    @property
    def cut_off(self) -> bool:
        """Whether the turn limit ended it, and not the game itself."""
        return not self.done and self.max_turns is not None and self.turn >= self.max_turns

    @property
    def turn(self) -> int:
        """Turns completed."""
        return int(self.state.turn)

    @property
    def current_player(self) -> int:
        """Whose turn it is."""
        return int(self.state.current_player_id)

    @property
    def players(self) -> list[int]:
        """The players, as far as the game has given them roles."""
        return sorted(player for player in self.state.role_mapping if isinstance(player, int) and player >= 0)

    def observe(self, player: int) -> list[TextArenaMessage]:
        """Show a player the game; what is new to it counts as seen then."""
        current = self.state.current_player_id
        self.state.current_player_id = player  # TextArena shows the game to the current player only
        try:
            with self._random.in_use():
                _, shown = self._env.get_observation()
        except ValueError as error:
            raise UnplayableGameError(f"{self.env_id} cannot be shown: {error}") from error
        finally:
            self.state.current_player_id = current
        messages = convert_messages(shown)
        if player not in self._prompts:
            prompts = [message.content for message in messages if message.category == "PROMPT"]
            whole = prompts or [message.content for message in messages[:1]]
            self._prompts[player] = "\n".join(whole).strip()
        return messages

    def prompt(self, player: int) -> str:
        """The instructions that a player got when it first saw the game."""
        return self._prompts.get(player, "")

    def step(self, message: str) -> bool:
        """Let the current player say something.

        Returns:
            Whether the game took it for a valid move. If not, the player may try again, or has lost:
            TextArena forgives one invalid move in a row, where the game's authors chose nothing else.
        """
        player = self.current_player
        with self._random.in_use():
            try:
                self._env.step(message)
            except Exception:
                # A message that breaks the game's own reading of it, such as a number of 5,000 digits. The
                # player must not be able to end the episode without a result: say what the game refuses.
                logger.warning("%s could not read a message", self.env_id, exc_info=True)
                self._env.step("")
        return self.state.error_count == 0 and not self._lost_by_invalid_move(player)

    def outcome(self, player: int) -> str:
        """``"win"``, ``"loss"``, ``"draw"``, ``"invalid"`` (lost by an invalid move) or ``"ongoing"``."""
        if not self.done:
            return _ONGOING
        if self._lost_by_invalid_move(player):
            return _INVALID
        rewards = self.rewards
        own = rewards.get(player, 0.0)
        if len(set(rewards.values())) > 1:
            return _WIN if own == max(rewards.values()) else _LOSS
        # All alike: one player alone, who wins by a full reward, or several who win, lose or draw together.
        if own == 0 and self.num_players > 1:
            return _DRAW
        return _WIN if own >= 1 else _LOSS

    @property
    def rewards(self) -> dict[int, float]:
        """What each player got; empty before the end."""
        rewards = self.state.rewards or {}
        # Some games give the reason where the reward belongs, when they refuse a move.
        return {
            player: float(reward) if isinstance(reward, Real) else _PENALTY
            for player, reward in rewards.items()
        }

    def reason(self, player: int) -> str:
        """Why the game ended, in its own words."""
        return str(self.state.game_info.get(player, {}).get("reason") or "")

    @property
    def step_info(self) -> dict[str, Any]:
        """What the game says beside the messages, in plain values."""
        info: dict[str, Any] = _plain(self.state.step_info)
        return info

    def describe(self, *, hidden: bool) -> dict[str, Any]:
        """Describe the state of the game in plain values.

        Args:
            hidden: Leave out what players must not see before the end: the board with its secrets, the log.
        """
        state = self.state
        described: dict[str, Any] = _plain(
            {
                "turn": state.turn,
                "game_state": {} if hidden else state.game_state,
                "logs": [] if hidden else state.logs,
                "rewards": state.rewards,
                "done": state.done,
                "role_mapping": {} if hidden else state.role_mapping,
                "game_info": {} if hidden else state.game_info,
                "step_info": state.step_info,
            }
        )
        return described

    def rehearsal(self) -> Game:
        """Copy the game, to try moves in: it forgives any number of invalid ones."""
        rehearsal = copy.deepcopy(self)
        rehearsal.state.error_allowance = sys.maxsize
        return rehearsal

    def _lost_by_invalid_move(self, player: int) -> bool:
        return bool(self.state.game_info.get(player, {}).get("invalid_move"))


@functools.cache
def default_players(env_id: str) -> int:
    """The smallest number of players of a game, one only where it is a game for one."""
    for players in range(1, _MOST_PLAYERS + 1):
        try:
            game = Game(env_id, players, 0, {})
        except _RefusedError:
            continue
        if players > 1 or isinstance(game.state, textarena().SinglePlayerState):
            return players
    raise UnplayableGameError(f"{env_id} takes no number of players up to {_MOST_PLAYERS}")


class _RefusedError(UnplayableGameError):
    """A game is for another number of players, or an option has an impossible value."""


def _start(env_id: str, num_players: int, seed: int, options: dict[str, Any], generators: Generators) -> Any:
    turn = _sokobans if env_id.startswith("Sokoban-") else nullcontext()
    with generators.in_use(), turn:
        try:
            env = make_game(env_id, options)
            env.reset(num_players=num_players, seed=seed)
        except FileNotFoundError as error:
            raise UnplayableGameError(
                f"{env_id} lacks a file in TextArena's distribution: {error}"
            ) from error
        except (AssertionError, ValueError) as error:  # how games refuse a number of players, or an option
            if "OPENROUTER_API_KEY" not in str(error):
                raise _RefusedError(f"{env_id} refuses this: {error}") from error
            raise UnplayableGameError(
                f"{env_id} asks language models at openrouter.ai: its server needs network and "
                "OPENROUTER_API_KEY"
            ) from None
    return env


def _plain(value: Any) -> Any:
    return to_jsonable_python(value, fallback=_without_json_form)


def _without_json_form(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
