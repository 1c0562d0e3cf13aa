"""OpenEnv's client plays our games: every field of its models, with its type, and nothing coerced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.types import Action, Observation, State
from pydantic import ConfigDict

from chess_env.server.app import app as chess_app
from connect4_env.server.app import app as connect4_app
from snake_env.server.app import app as snake_app
from tests.servers import LiveServer


class Columns(Action):
    column: int


class Board(Observation):
    model_config = ConfigDict(strict=True)

    board: list[list[int]]
    legal_actions: list[int]


class BoardState(State):
    model_config = ConfigDict(strict=True)

    board: list[list[int]]
    next_player: int


class Move(Action):
    move: str


class Position(Observation):
    model_config = ConfigDict(strict=True)

    fen: str
    legal_moves: list[str]
    is_check: bool
    result: str | None


class PositionState(State):
    model_config = ConfigDict(strict=True)

    fen: str
    current_player: str
    move_history: list[str]


class Turn(Action):
    action: int


class Grid(Observation):
    model_config = ConfigDict(strict=True)

    grid: list[list[int]]
    observation: list[list[list[float]]]
    episode_score: float
    episode_steps: int
    episode_fruits: int
    episode_kills: int
    alive: bool


class GameClient(EnvClient[Any, Any, Any]):
    """A client as OpenEnv's games have theirs: it takes the fields that it knows."""

    observation: type[Observation]
    state_model: type[State] = State

    def _step_payload(self, action: Action) -> dict[str, Any]:
        return action.model_dump(exclude={"metadata"})

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Any]:
        fields = payload["observation"]
        known = {name: fields[name] for name in self.observation.model_fields if name in fields}
        observation = self.observation(**known, reward=payload["reward"], done=payload["done"])
        return StepResult(observation=observation, reward=payload["reward"], done=payload["done"])

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return self.state_model(**payload)


class Connect4Client(GameClient):
    observation = Board
    state_model = BoardState


class ChessClient(GameClient):
    observation = Position
    state_model = PositionState


class SnakeClient(GameClient):
    observation = Grid


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    server = LiveServer(request.param).start()
    yield server
    server.stop()


@pytest.mark.parametrize("server", [connect4_app], indirect=True, ids=["connect4"])
def test_connect4(server: LiveServer) -> None:
    with Connect4Client(base_url=server.base_url).sync() as client:
        assert client.reset().observation.legal_actions == list(range(7))
        for column in (3, 2, 3, 2, 3, 2):
            result = client.step(Columns(column=column))
            assert (result.reward, result.done) == (0.0, False)
        assert result.observation.board[5] == [0, 0, -1, 1, 0, 0, 0]
        result = client.step(Columns(column=3))
        assert (result.reward, result.done) == (1.0, True)
        assert result.observation.metadata["next_player"] == -1
        state = client.state()
        assert (state.step_count, state.next_player) == (7, -1)
        assert state.board == result.observation.board


@pytest.mark.parametrize("server", [chess_app], indirect=True, ids=["chess"])
def test_chess(server: LiveServer) -> None:
    with ChessClient(base_url=server.base_url).sync() as client:
        observation = client.reset(opponent=None).observation
        assert (len(observation.legal_moves), observation.is_check, observation.result) == (20, False, None)
        result = client.step(Move(move="e2e5"))
        assert (result.reward, result.done) == (-0.1, False)
        for move in ("f2f3", "e7e5", "g2g4", "d8h4"):
            result = client.step(Move(move=move))
        assert (result.reward, result.done, result.observation.result) == (1.0, True, "0-1")
        assert client.state().move_history == ["f2f3", "e7e5", "g2g4", "d8h4"]


@pytest.mark.parametrize("server", [snake_app], indirect=True, ids=["snake"])
def test_snake(server: LiveServer) -> None:
    with SnakeClient(base_url=server.base_url).sync() as client:
        observation = client.reset(seed=1).observation
        assert (len(observation.grid), len(observation.observation[0][0])) == (20, 8)
        result = client.step(Turn(action=1))
        assert result.observation.alive and result.observation.episode_steps == 1
        assert result.reward == result.observation.episode_score == 0.001
        while not result.done:
            result = client.step(Turn(action=0))
        assert (result.reward, result.observation.alive) == (-1.0, False)
