"""The Snake environment itself."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from uuid import uuid4

from annotated_types import Ge
from pydantic import FiniteFloat

from openenv_gym.errors import InvalidActionError, NotResetError
from openenv_gym.models import EnvironmentMetadata, State
from openenv_gym.server import Environment
from snake_env.models import SnakeAction, SnakeObservation
from snake_env.server.board import Board, Event, encode
from snake_env.server.settings import DEFAULT_SETTINGS, MIN_SIDE, SnakeSettings, observation_model
from snake_env.server.steering import absolute, relative

VERSION = "0.1.0"

Cause = Literal["fruit", "kill", "lose", "win", "time"]
DEFAULT_REWARDS: dict[Cause, float] = {"fruit": 1.0, "kill": 0.0, "lose": -1.0, "win": 100.0, "time": 0.001}


@dataclass
class _Episode:
    """All that the next steps depend on."""

    episode_id: str
    board: Board
    rewards: dict[Cause, float]
    max_steps: int
    steps: int = 0
    fruits: int = 0
    score: float = 0.0


class SnakeEnvironment(Environment[SnakeAction, SnakeObservation, State]):
    """One snake on a walled board.

    Args:
        settings: What the spaces depend on.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "inline"  # a move takes some microseconds

    def __init__(self, settings: SnakeSettings = DEFAULT_SETTINGS) -> None:
        super().__init__()
        self._settings = settings
        self._observation_cls = observation_model(settings)
        self._steer = relative if settings.observer == "snake" else absolute
        self._episode: _Episode | None = None

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        height: Annotated[int, Ge(MIN_SIDE)] | None = None,
        width: Annotated[int, Ge(MIN_SIDE)] | None = None,
        snake_length: Annotated[int, Ge(2)] = 3,
        max_episode_steps: Annotated[int, Ge(1)] = 1000,
        reward_dict: dict[Cause, FiniteFloat] | None = None,
    ) -> SnakeObservation:
        """Start an episode.

        Args:
            seed: Of where the snake and the fruits are.
            episode_id: A name for the episode.
            height: Rows of the board, walls included; what is left of the server's grid is wall.
            width: Columns of the board.
            snake_length: Of the snake at the start.
            max_episode_steps: Moves after which the episode is truncated.
            reward_dict: Rewards to be changed, by cause: ``fruit``, ``lose``, ``win``, ``time``; ``kill`` is
                never given here.

        Raises:
            InvalidActionError: The board or the snake does not fit.
        """
        shape = (self._settings.height, self._settings.width)
        height, width = height or shape[0], width or shape[1]
        if height > shape[0] or width > shape[1]:
            raise InvalidActionError(
                f"a board of {height} x {width} is more than this server's grid of {shape[0]} x {shape[1]}: "
                "start the server with a larger SNAKE_HEIGHT and SNAKE_WIDTH"
            )
        if snake_length > max(height, width) - 2:
            raise InvalidActionError(
                f"a snake of {snake_length} does not fit between the walls of {height} x {width}"
            )
        self._episode = episode = _Episode(
            episode_id=episode_id or str(uuid4()),
            board=Board(shape, height, width, snake_length, random.Random(seed)),
            rewards={**DEFAULT_REWARDS, **(reward_dict or {})},
            max_steps=max_episode_steps,
        )
        return self._observe(episode, Event.MOVED, reward=0.0)

    def step(  # type: ignore[override]
        self, action: SnakeAction, timeout_s: float | None = None
    ) -> SnakeObservation:
        """Move the snake by one cell."""
        episode = self._episode
        if episode is None:
            raise NotResetError("call reset() before step()")
        board, rewards = episode.board, episode.rewards
        event = board.move(self._steer(board.direction, action.action))
        episode.steps += 1
        if event is Event.DIED:
            reward = rewards["lose"]
        else:
            reward = rewards["time"]
            if event is not Event.MOVED:
                episode.fruits += 1
                reward += rewards["fruit"]
            if event is Event.WON:
                reward += rewards["win"]
        episode.score += reward
        return self._observe(episode, event, reward)

    @property
    def state(self) -> State:
        """The episode's id and its steps."""
        if self._episode is None:
            return State()
        return State(episode_id=self._episode.episode_id, step_count=self._episode.steps)

    def snapshot(self) -> _Episode | None:
        """Copy the state; see `openenv_gym.server.Restorable`."""
        return copy.deepcopy(self._episode)

    def restore(self, state: _Episode | None) -> None:
        """Take on a state that `snapshot` returned."""
        self._episode = copy.deepcopy(state)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="snake_env",
            description="Eat fruit, grow, and hit neither a wall nor yourself",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    def _observe(self, episode: _Episode, event: Event, reward: float) -> SnakeObservation:
        is_over = event in (Event.DIED, Event.WON)
        is_late = episode.steps >= episode.max_steps and not is_over
        return self._observation_cls(
            grid=episode.board.grid.copy(),  # the next move changes it
            observation=encode(episode.board, self._settings.vision_range),
            episode_score=episode.score,
            episode_steps=episode.steps,
            episode_fruits=episode.fruits,
            alive=event is not Event.DIED,
            reward=reward,
            done=is_over or is_late,
            truncated=is_late,
        )
