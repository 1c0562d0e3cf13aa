"""The Atari environment itself."""

from __future__ import annotations

import copy
import random
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import numpy as np
from ale_py import Action, ALEState
from annotated_types import Ge, Interval, MaxLen

from atari_env.models import AtariAction, AtariObservation, AtariState
from atari_env.server.emulator import Cartridge, Emulator, shelf
from atari_env.server.png import encode_png
from atari_env.server.settings import MAX_FRAMESKIP, Interface
from openenv_gym.errors import InvalidActionError, NotResetError
from openenv_gym.models import EnvironmentMetadata
from openenv_gym.server import Environment

VERSION = "0.1.0"
_HALF_AN_HOUR = 108_000  # frames: the usual end of an episode (Machado et al., 2018)


@dataclass
class _Episode:
    """What the next steps depend on, besides the emulator.

    Attributes:
        actions: The game's, by their ids.
        last_action: What the last frame saw; what a repeated action repeats.
    """

    episode_id: str
    cartridge: Cartridge
    actions: list[Action]
    frameskip: int
    repeat_probability: float
    max_frames: int
    shows_image: bool
    rng: random.Random
    last_action: Action = Action.NOOP
    steps: int = 0


class AtariEnvironment(Environment[AtariAction, AtariObservation, AtariState]):
    """A game of the Arcade Learning Environment.

    Args:
        interface: What the server's spaces are.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    EXECUTION = "thread"  # a game that is not loaded yet takes a tenth of a second

    def __init__(self, interface: Interface) -> None:
        super().__init__()
        self._interface = interface
        self._emulator: Emulator | None = None
        self._episode: _Episode | None = None

    def reset(  # type: ignore[override]  # without **kwargs, so that unknown options are refused
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        game_name: Annotated[str, MaxLen(64)] | None = None,
        mode: int | None = None,
        difficulty: int | None = None,
        repeat_action_probability: Annotated[float, Interval(ge=0, le=1)] | None = None,
        frameskip: Annotated[int, Interval(ge=1, le=MAX_FRAMESKIP)] | None = None,
        max_frames: Annotated[int, Ge(1)] = _HALF_AN_HOUR,
        screen_image: bool = False,
    ) -> AtariObservation:
        """Start a game. Options that are left out are the server's settings.

        Args:
            seed: Of repeated actions; nothing else is random.
            episode_id: A name for the episode.
            game_name: In snake case. Mode and difficulty of another game than the server's are its first.
            mode: The game's variant.
            difficulty: Position of the difficulty switch.
            repeat_action_probability: How probably a frame repeats the last action instead.
            frameskip: Frames an action is held, 1 to 60.
            max_frames: Frames after which the episode is truncated.
            screen_image: Whether observations show the screen as a PNG, too.

        Raises:
            InvalidActionError: There is no such game, mode or difficulty, or the spaces do not fit it.
        """
        settings = self._interface.settings
        cartridge = settings.cartridge
        if game_name is not None and game_name != cartridge.game:
            cartridge = Cartridge(game_name)
        if mode is not None:
            cartridge = cartridge._replace(mode=mode)
        if difficulty is not None:
            cartridge = cartridge._replace(difficulty=difficulty)
        emulator = self._insert(cartridge)
        emulator.start()
        probability = repeat_action_probability
        self._episode = episode = _Episode(
            episode_id=episode_id or str(uuid4()),
            cartridge=cartridge,
            actions=emulator.actions(full=settings.full_action_space),
            frameskip=frameskip or settings.frameskip,
            repeat_probability=settings.repeat_action_probability if probability is None else probability,
            max_frames=max_frames,
            shows_image=screen_image,
            rng=random.Random(seed),
        )
        return self._observe(episode, emulator, reward=0.0)

    def step(  # type: ignore[override]
        self, action: AtariAction, timeout_s: float | None = None
    ) -> AtariObservation:
        """Hold an action for some frames."""
        episode, emulator = self._episode, self._emulator
        if episode is None or emulator is None:
            raise NotResetError("call reset() before step()")
        if action.action_id >= len(episode.actions):
            raise InvalidActionError(
                f"{episode.cartridge.game} has {len(episode.actions)} actions: action_id is 0 to "
                f"{len(episode.actions) - 1}, not {action.action_id}"
            )
        chosen = episode.actions[action.action_id]
        reward = 0.0
        for _ in range(episode.frameskip):
            if not episode.repeat_probability or episode.rng.random() >= episode.repeat_probability:
                episode.last_action = chosen
            reward += emulator.act(episode.last_action)
            if emulator.is_over or emulator.frame >= episode.max_frames:
                break
        episode.steps += 1
        return self._observe(episode, emulator, reward)

    @property
    def state(self) -> AtariState:
        """The episode's id and steps, the game, and how it is played."""
        settings, episode = self._interface.settings, self._episode
        if episode is None:
            return AtariState(**settings.model_dump())
        return AtariState(
            episode_id=episode.episode_id,
            step_count=episode.steps,
            game_name=episode.cartridge.game,
            obs_type=settings.obs_type,
            full_action_space=settings.full_action_space,
            mode=episode.cartridge.mode,
            difficulty=episode.cartridge.difficulty,
            repeat_action_probability=episode.repeat_probability,
            frameskip=episode.frameskip,
        )

    def snapshot(self) -> tuple[_Episode, ALEState]:
        """Copy the state; see `openenv_gym.server.Restorable`."""
        if self._episode is None or self._emulator is None:
            raise NotResetError("call reset() before snapshot()")
        return copy.deepcopy(self._episode), self._emulator.snapshot()

    def restore(self, state: tuple[_Episode, ALEState]) -> None:
        """Take on a state that `snapshot` returned."""
        episode, memory = state
        self._insert(episode.cartridge).restore(memory)
        self._episode = copy.deepcopy(episode)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment."""
        return EnvironmentMetadata(
            name="atari_env",
            description="The games of the Arcade Learning Environment, as pixels or as memory",
            readme_content=(Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8"),
            version=VERSION,
        )

    def close(self) -> None:
        """Give the emulator back."""
        if self._emulator is not None:
            shelf.give_back(self._emulator)
            self._emulator = self._episode = None

    def _insert(self, cartridge: Cartridge) -> Emulator:
        """Have an emulator with a cartridge whose game fits the server's spaces."""
        if self._emulator is not None and self._emulator.cartridge == cartridge:
            return self._emulator
        emulator = shelf.take(cartridge)
        try:
            self._interface.require_fit(emulator)
        except InvalidActionError:
            shelf.give_back(emulator)
            raise
        self.close()
        self._emulator = emulator
        return emulator

    def _observe(self, episode: _Episode, emulator: Emulator, reward: float) -> AtariObservation:
        interface = self._interface
        is_late = emulator.frame >= episode.max_frames and not emulator.is_over
        lives = emulator.lives
        image = None
        if episode.shows_image:
            image = f"data:image/png;base64,{b64encode(encode_png(emulator.screen('rgb'))).decode()}"
        return interface.observation_cls(
            screen=emulator.screen(interface.settings.obs_type).reshape(-1),
            screen_shape=list(interface.screen_shape),
            legal_actions=list(range(len(episode.actions))),
            action_mask=(np.arange(interface.num_actions) < len(episode.actions)).astype(np.int8),
            lives=lives,
            episode_frame_number=emulator.frame,
            frame_number=emulator.frame,
            screen_image=image,
            reward=reward,
            done=emulator.is_over or is_late,
            truncated=is_late,
            metadata={
                "game_name": episode.cartridge.game,
                "action_meanings": [str(action) for action in episode.actions],
                "lives": lives,
            },
        )
