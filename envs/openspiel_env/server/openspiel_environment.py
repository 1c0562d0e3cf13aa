"""The OpenSpiel environment: one seat of a game for the agent, opponents in the others."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from openenv_gym.engines.open_spiel_states import tensor, text
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment
from openspiel_env.models import OpenSpielAction, OpenSpielObservation, OpenSpielPosition, OpenSpielState
from openspiel_env.server.game_loading import described_parameters, load_asked_game, load_game
from openspiel_env.server.match import Match
from openspiel_env.server.opponents import OpponentName, find_opponent

VERSION = "0.1.0"
IllegalAction = Literal["lose", "error"]

# Deals in which the agent has no move, one after another, after which a game is not playable from its seat.
_MAX_DEALS = 100


@dataclass(frozen=True)
class Table:
    """What is settled before a game begins.

    Attributes:
        game: The ``pyspiel.Game``.
        game_params: The parameters that were given for it.
        agent_player: The agent's seat.
        opponent_policy: Who plays the other seats.
        illegal_action: What an illegal move does: ``lose`` ends the game with the least anybody can earn,
            so that any sample of an action space can be played; ``error`` leaves the game as it is.
    """

    game: Any
    game_params: Mapping[str, Any]
    agent_player: int
    opponent_policy: str
    illegal_action: IllegalAction

    def __post_init__(self) -> None:
        num_players = self.game.num_players()
        if not 0 <= self.agent_player < num_players:
            name = self.game.get_type().short_name
            raise ValueError(f"agent_player={self.agent_player}: {name} has the seats 0 to {num_players - 1}")
        find_opponent(self.opponent_policy, self.game)

    def start(self, seed: int | None) -> Match:
        """Deal, and play up to the agent's first move."""
        opponent = find_opponent(self.opponent_policy, self.game)
        for deal in range(_MAX_DEALS):
            match = Match(self.game, self.agent_player, opponent, None if seed is None else seed + deal)
            if not match.is_over:
                return match
        raise ValueError(
            f"player {self.agent_player} of {self.game.get_type().short_name} has no move to make in "
            f"{_MAX_DEALS} games against {self.opponent_policy!r}: take another seat or opponent"
        )


@dataclass(frozen=True)
class _Episode:
    """What `OpenSpielEnvironment.snapshot` keeps."""

    table: Table
    match: Match | None
    episode_id: str | None
    steps: int


class OpenSpielEnvironment(Environment[OpenSpielAction, OpenSpielPosition, OpenSpielState]):
    """Plays any game of OpenSpiel; ``reset`` may choose another than the one it is made with.

    Args:
        game_name: The game, in OpenSpiel's notation.
        agent_player: The agent's seat.
        opponent_policy: Who plays the other seats: ``random``, ``first``, ``last`` or ``mcts``.
        game_params: Parameters of the game.
        illegal_action: What an illegal move does; see `Table`.

    Raises:
        ValueError: Such a game cannot be played.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"  # a reset may try a game in another process, and a search takes its time

    def __init__(
        self,
        game_name: str = "catch",
        agent_player: int = 0,
        opponent_policy: str = "random",
        game_params: dict[str, Any] | None = None,
        illegal_action: IllegalAction = "lose",
    ) -> None:
        super().__init__()
        game = load_asked_game(game_name, game_params) if game_params else load_game(game_name)
        game_params = game_params or described_parameters(game_name)
        self._usual = self._table = Table(game, game_params, agent_player, opponent_policy, illegal_action)
        self._match: Match | None = None
        self._episode_id: str | None = None
        self._steps = 0

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        game_name: str | None = None,
        game_params: dict[str, Any] | None = None,
        agent_player: int | None = None,
        opponent_policy: OpponentName | None = None,
        illegal_action: IllegalAction | None = None,
    ) -> OpenSpielPosition:
        """Start a game; options left out are those the environment was made with.

        Args:
            seed: Of chance and of opponents: equal seeds and moves give equal games.
            episode_id: Its name.
            game_name: OpenSpiel's short name of a game.
            game_params: The game's parameters.
            agent_player: The agent's seat.
            opponent_policy: Who plays the others.
            illegal_action: What an illegal move does.

        Raises:
            ValueError: Such a game cannot be played; the last one goes on.
        """
        usual = self._usual
        game, parameters = usual.game, usual.game_params
        if game_name is not None or game_params is not None:
            parameters = game_params or {}
            game = load_asked_game(game_name or game.get_type().short_name, parameters)
        table = Table(
            game,
            parameters,
            usual.agent_player if agent_player is None else agent_player,
            opponent_policy or usual.opponent_policy,
            illegal_action or usual.illegal_action,
        )
        self._match = table.start(seed)
        self._table, self._steps = table, 0
        self._episode_id = episode_id or str(uuid4())
        return self._observe(self._match)

    def step(  # type: ignore[override]
        self, action: OpenSpielAction, timeout_s: float | None = None
    ) -> OpenSpielPosition:
        """Make the agent's move and the others' up to its next.

        Raises:
            ValueError: The move is illegal, and an illegal one does not lose here; the game goes on.
        """
        match = self._match
        if match is None or match.is_over:
            raise ValueError("no game is being played: reset first")
        legal = match.legal_actions()
        if action.action_id in legal:
            reward = match.play(action.action_id)
            metadata: dict[str, Any] = {}
        elif self._table.illegal_action == "error":
            raise ValueError(f"action_id {action.action_id} is illegal now; the legal ones are {legal}")
        else:
            reward = match.forfeit()
            metadata = {"illegal_action": action.action_id}
        self._steps += 1
        if match.is_over:
            metadata["returns"] = match.returns
        return self._observe(match, reward=reward, metadata=metadata)

    @property
    def state(self) -> OpenSpielState:
        """The game, its players, and how many moves the agent has made in it."""
        table = self._table
        return OpenSpielState(
            episode_id=self._episode_id,
            step_count=self._steps,
            game_name=table.game.get_type().short_name,
            agent_player=table.agent_player,
            opponent_policy=table.opponent_policy,
            game_params=dict(table.game_params),
            num_players=table.game.num_players(),
        )

    def snapshot(self) -> _Episode:
        """Copy the state; see `openenv_gym.server.Restorable`."""
        match = self._match.clone() if self._match is not None else None
        return _Episode(self._table, match, self._episode_id, self._steps)

    def restore(self, state: _Episode) -> None:
        """Take on a state that `snapshot` returned."""
        self._table, self._episode_id, self._steps = state.table, state.episode_id, state.steps
        self._match = state.match.clone() if state.match is not None else None

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="openspiel_env",
            description="Any game of OpenSpiel, against scripted or searching opponents",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    def render_web(self, observation: dict[str, Any]) -> str | None:
        """Show the game's own text."""
        shown = observation.get("text")
        return f"<pre>{html.escape(shown)}</pre>" if shown else None

    def web_actions(self, observation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Offer the legal moves by their names."""
        moves = zip(observation["legal_action_names"], observation["legal_actions"], strict=True)
        return [(name, {"action_id": action}) for name, action in moves]

    def _observe(self, match: Match, **envelope: Any) -> OpenSpielPosition:
        return OpenSpielObservation(**sight(match), done=match.is_over, **envelope)


def sight(match: Match) -> dict[str, Any]:
    """What the agent sees of a game, as the fields of an observation."""
    state, player = match.state, match.agent_player
    legal = match.legal_actions()
    return {
        "info_state": tensor(match.kind, state, player),
        "legal_actions": legal,
        "game_phase": "terminal" if match.is_over else "playing" if match.num_moves else "initial",
        "current_player_id": match.current_player,
        "opponent_last_action": match.opponent_last_action,
        "text": text(match.kind, state, player),
        "legal_action_names": [state.action_to_string(player, action) for action in legal],
    }
